# The calls that scripts know. What the server does not offer is not here: calling it dies by itself.
package uwsgi;
use 5.010;
use strict;
use warnings;

use Carp ();
use Scalar::Util ();

# Helpers are lexical, lest they become calls too.
my $call = sub {
    my $link = Eyelet::PSGI::Worker::current() or Carp::croak("unable to $_[0]: there is no request");
    $link->call(@_);
};

# Perl may write 0.00001 as 1e-05, which is no number to the server.
my $numbers = sub {
    for (@_) { Scalar::Util::looks_like_number($_) && abs $_ < 1e15 or Carp::croak('an argument is no number') }
    return join ' ', map { $_ == int $_ ? sprintf '%.0f', $_ : sprintf '%.9f', $_ } @_;
};

# An integer that has so many bits, with a sign or without.
my $integer = sub {
    my ($value, $bits) = @_;
    Scalar::Util::looks_like_number($value) && $value == int $value && $value >= -2 ** ($bits - 1)
        && $value < 2 ** $bits or Carp::croak("an argument is no integer of $bits bits");
    return int $value;
};

my $area = sub {
    my $id = $_[0] // '';
    $id =~ /\A[!-~]{1,255}\z/ or Carp::croak('a sharedarea is neither a number nor a name');
    return $id;
};

# What streams say for each frame: a purpose and a verb by the arguments that they were made of.
my %known;
my $learn = sub {
    my ($key, @words) = @_;
    %known = () if keys %known >= 100;
    return $known{$key} = [@words];
};

my $send_area = sub {
    my ($op, $id, $pos, $len) = @_;
    no warnings 'uninitialized';
    my $known = $known{'send', $op, $id, $pos, $len} // $learn->(
        join($;, 'send', $op, $id, $pos, $len),
        join(' ', 'send websocket', ('binary') x ($op == 2), 'message from sharedarea'),
        join(' ', 'send-area', $area->($id), $numbers->($pos // 0, $len // 0, $op)),
    );
    my $link = Eyelet::PSGI::Worker::current() or return $call->(@$known);
    return Eyelet::PSGI::Ahead::send_area($link, @$known);
};

my $read = sub {
    my ($id, $pos, $len) = @_;
    $call->('read from sharedarea ' . $area->($id), join ' ', 'read', $id, $numbers->($pos // 0, $len // 0));
};

my $receive = sub {
    my ($op, $bytes) = $call->('receive websocket message', @_) or return undef;
    Eyelet::PSGI::Worker::current()->{is_binary} = $op eq '2';
    return $bytes;
};

# Characters become UTF-8; bytes are sent as they are.
my $encoded = sub {
    my $text = shift // '';
    utf8::encode($text) if utf8::is_utf8($text);
    return $text;
};

# The server knows key and origin. Without a protocol it is the first that the client offers: browsers refuse a list,
# and also none if they offer one.
sub websocket_handshake {
    my ($key, $origin, $protocol) = @_;
    my $link = Eyelet::PSGI::Worker::current() // {};
    ($protocol) = split / *, */, $link->{offered} // '' if !length($protocol // '');
    ($protocol // '') =~ /[^!-~]/ and Carp::croak('websocket protocol is no token');
    $call->('complete websocket handshake', join ' ', 'handshake', $protocol // ());
    $link->{state} = 'websocket';
    return;
}

# Waits for a message, for so many seconds if they are given. An empty message is '', and never undef.
sub websocket_recv { return $receive->(join ' ', 'recv', map { $numbers->($_) } grep { defined } @_[0 .. $#_ && 0]) }
# Gives undef if none is there.
sub websocket_recv_nb { return $receive->('recv-nb') }
# Whether the last message was binary. Not a second value of the calls above: scripts use these in lists.
sub websocket_is_binary { return (Eyelet::PSGI::Worker::current() // {})->{is_binary} }

sub websocket_send { $call->('send websocket message', 'send 1', $encoded->($_[0])); return }
sub websocket_send_binary { $call->('send websocket binary message', 'send 2', $_[0] // ''); return }
sub websocket_send_from_sharedarea { return $send_area->(1, @_) }
sub websocket_send_binary_from_sharedarea { return $send_area->(2, @_) }

sub websocket_close {
    my ($code, $reason) = @_;
    $call->('close websocket', 'close ' . $numbers->($code // 1000), $encoded->($reason));
    return;
}

# ID, FREQ_MS, TIMEOUT_S: the second was the time between looks, but the server wakes the app; none waits for ever.
# Gives the frame's sequence, which is never 0.
sub sharedarea_wait {
    my ($id, $ms, $timeout) = @_;
    no warnings 'uninitialized';
    my $known = $known{'wait', $id, $ms, $timeout} // $learn->(
        join($;, 'wait', $id, $ms, $timeout),
        "wait for sharedarea $id",
        join(' ', 'wait', $area->($id), $numbers->($ms // 0, $timeout // 0)),
    );
    my $link = Eyelet::PSGI::Worker::current() or return $call->(@$known);
    return Eyelet::PSGI::Ahead::wait_for_frame($link, @$known) // 1;
}

# Sends each newest frame as a binary message, and returns when the client has left.
sub sharedarea_follow {
    my $id = $area->($_[0]);
    return if eval { $call->("follow sharedarea $id", "follow $id 2"); 1 };
    my $gone = (Eyelet::PSGI::Worker::current() // {})->{gone};
    Carp::croak($@ =~ /\A(.*) at .*? line \d+\.?\n\z/s ? $1 : $@) if !defined $gone;
    return;
}

# Without a length, or with 0, all from there on.
sub sharedarea_read { return $read->(@_) }

# The same bytes as a part of a body, without a way through Perl.
sub Eyelet::PSGI::Writer::write_from_sharedarea {
    my ($self, $id, $pos, $len) = @_;
    my $verb = join ' ', 'send-area', $area->($id), $numbers->($pos // 0, $len // 0, 2);
    Eyelet::PSGI::Responder::run($self->{link}, sub {
        $self->{link}->call("write from sharedarea $id", $verb);
        $self->poll;
    });
}

# Reads into its third argument and gives the length.
sub sharedarea_readfast {
    $_[2] = $read->(@_[0, 1, 3]);
    return length $_[2];
}

sub sharedarea_write {
    my ($id, $pos, $bytes) = @_;
    return $call->('write to sharedarea ' . $area->($id), join(' ', 'write', $id, $numbers->($pos // 0)), $bytes // '')
        // 1;
}

# Each area as a hash; what is not known is undef.
sub sharedarea_list {
    return map {
        my %area;
        @area{qw(id name kind state len fourcc width height stride sequence)}
            = map { $_ eq '-' ? undef : $_ } split / /;
        \%area;
    } split /\n/, $call->('list sharedareas', 'areas') // '';
}

# Little-endian numbers: `inc` and `dec` are one step for all who look, and give the new value.
for my $number ([8, 'c', 'C'], [16, 's<', 'S<'], [32, 'l<', 'L<'], [64, 'q<', 'Q<']) {
    my ($bits, $signed, $unsigned) = @$number;
    my $add = sub {
        my ($purpose, $id, $pos, $amount, $sign) = @_;
        $amount = $sign * $integer->($amount // 1, 64);
        abs $amount <= 9_223_372_036_854_775_807 or Carp::croak('an amount is too large');
        my $verb = sprintf '%s %s %s %d %d', $amount < 0 ? 'dec' : 'inc', $area->($id), $numbers->($pos // 0), $bits,
            abs $amount;
        return $call->("$purpose sharedarea $id", $verb);
    };
    no strict 'refs';
    *{"sharedarea_inc$bits"} = sub { return $add->('inc', @_[0 .. 2], 1) };
    *{"sharedarea_dec$bits"} = sub { return $add->('dec', @_[0 .. 2], -1) };
    *{"sharedarea_read$bits"} = sub { return unpack $signed, $read->(@_[0, 1], $bits / 8) };
    *{"sharedarea_write$bits"} = sub {
        my $value = $integer->($_[2], $bits);
        return sharedarea_write(@_[0, 1], pack $value < 0 ? $signed : $unsigned, $value);
    };
}

1;
