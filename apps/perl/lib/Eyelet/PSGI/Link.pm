# The connection of one request.
package Eyelet::PSGI::Link;
use 5.010;
use strict;
use warnings;

use Carp ();

# The server's limits, over which it would have to cut the request. A body goes in parts: the server holds each whole.
use constant { PART_LEN => 1 << 20, MAX_PAYLOAD_LEN => 16 << 20 };
use constant { READABLE => 1, WRITABLE => 2 };    # as EV has them
my %max_len = (head => 64 << 10, write => 64 << 10, close => 123);
# Verbs whose answer has a payload, of the length that is its last word.
my %is_question = map { $_ => 1 } qw(recv recv-nb read areas);
# Verbs that have an area's newest frame.
my %has_frame = map { $_ => 1 } qw(send-area follow read);

# Packages that `call` looks past when it names the place of an error.
our @CARP_NOT = qw(uwsgi Eyelet::PSGI::Ahead Eyelet::PSGI::Writer Eyelet::PSGI::Responder);

# `$wait` is called with the socket, and what is wanted of it.
sub new {
    return bless { socket => $_[1], wait => $_[2], input => '', gone => undef, state => 'open' }, $_[0];
}

# Asks for a verb and gives the words of the answer, and its payload. Dies with `KIND: TEXT` if that is not `ok`.
sub ask {
    my ($self, $verb, $payload) = @_;
    my ($name, $area) = $verb =~ /\A(\S+) ?(\S*)/;
    if ($name eq 'wait') { return Eyelet::PSGI::Ahead::begin_wait($self, $verb, $area) // $self->answer($name) }
    Eyelet::PSGI::Ahead::recall($self);
    # A frame that is had now is waited for no more.
    undef $self->{early} if $self->{early} && $self->{early}[0] eq $area && $has_frame{$name};
    # What came before the client left can still be had.
    die $self->{gone} if defined $self->{gone} && ($self->{is_empty} || $name !~ /\Arecv/);
    if (defined $payload) {
        utf8::downgrade($payload, 1) or die "a character beyond 255: encode it first\n";
        while ($name eq 'body' && length $payload > PART_LEN) { $self->ask('body', substr $payload, 0, PART_LEN, '') }
        my $limit = $max_len{$name} // MAX_PAYLOAD_LEN;
        length $payload <= $limit or die "too-large: `$name` takes $limit bytes\n";
        $verb .= ' ' . length $payload;
    }
    $self->put("$verb\n" . ($payload // '')) or die $self->{gone};
    undef $payload;    # others run while this one waits
    @_ = ($self, $name);
    goto &answer;    # one frame less for each request that waits
}

# Reads the answer to a verb of this name, as `ask` gives it.
sub answer {
    my ($self, $name) = @_;
    my ($kind, @words) = split / /, $self->line;
    if (($kind // '') eq 'ok') {
        return @words if !$is_question{$name} || !@words;
        my $len = pop @words;
        $len =~ /\A[0-9]{1,9}\z/ or die "the server's answer is not understood\n";
        return (@words, $self->take($len));
    }
    ($kind // '') eq 'err' && @words && $words[0] =~ /\A[a-z-]+\z/ or die "the server's answer is not understood\n";
    $kind = shift @words;
    my $error = "$kind: @words\n";
    # After `gone` no verb can succeed: an app that catches it and goes on must not trouble the server.
    if ($kind eq 'gone') { ($self->{gone}, $self->{is_empty}) = ($error, $name =~ /\Arecv/) }
    die $error;
}

# The same for an app: what fails names the line in it.
sub call {
    my ($self, $purpose, @verb) = @_;
    my @answer;
    return wantarray ? @answer : $answer[-1] if eval { local $SIG{__DIE__}; @answer = $self->ask(@verb); 1 };
    $self->failed($purpose, $@);
}

sub failed {
    my ($self, $purpose, $error) = @_;
    chomp $error;
    Carp::croak("unable to $purpose: $error");
}

# Ends the request as a success; one whose link is only closed has failed.
sub end {
    my $self = shift;
    return if $self->{state} eq 'ended';
    Eyelet::PSGI::Ahead::recall($self);
    die $self->{gone} if defined $self->{gone};
    $self->put("end\n") or die $self->{gone};
    $self->{state} = 'ended';
    $self->drop("the request was ended before\n");
}

# Lets go of the connection, whoever may still know of it.
sub drop {
    my ($self, $why) = @_;
    close $self->{socket};
    $self->{gone} //= $why;
    $self->{is_empty} = 1;
}

# Gives exactly `$len` bytes.
sub take {
    my ($self, $len) = @_;
    return substr $self->{input}, 0, $len, '' if length $self->{input} >= $len;
    (my $bytes, $self->{input}) = ($self->{input}, '');
    while (length $bytes < $len) { $bytes .= $self->some($len - length $bytes) // die $self->{gone} }
    return $bytes;
}

sub line {
    my $self = shift;
    while (index($self->{input}, "\n") < 0) {
        length $self->{input} <= 4096 or die "the server's answer is too long\n";
        $self->{input} .= $self->some(4096) // die $self->{gone};
    }
    my $line = substr $self->{input}, 0, 1 + index($self->{input}, "\n"), '';
    $self->{input} = '' if $self->{input} eq '';    # forgets what was cut off in front
    chomp $line;
    return $line;
}

# Waits for at least one byte, and gives at most so many; nothing if the server has hung up.
sub some {
    my ($self, $len) = @_;
    # All links read into one string, as Perl makes it as long as the answer might be. Nobody else runs in between.
    state $part = '';
    for (;;) {
        $self->{wait}->($self->{socket}, READABLE);
        my $count = sysread $self->{socket}, $part, $len < 64 << 10 ? $len : 64 << 10;
        return $part if $count;
        return $self->hung_up if defined $count || !($!{EINTR} || $!{EAGAIN});
    }
}

# False if the server has hung up.
sub put {
    my ($self, $bytes) = @_;
    for (my $done = 0; $done < length $bytes;) {
        my $count = syswrite $self->{socket}, $bytes, length($bytes) - $done, $done;
        if (defined $count) { $done += $count }
        elsif ($!{EAGAIN}) { $self->{wait}->($self->{socket}, WRITABLE) }
        elsif (!$!{EINTR}) { return $self->hung_up }
    }
    return 1;
}

sub hung_up {
    my $self = shift;
    $self->{is_empty} = 1;
    $self->{gone} = "gone: the server has ended the request\n";
    @$self{qw(owed ahead)} = ();
    return;
}

1;
