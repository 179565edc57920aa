# From PSGI to verbs.
package Eyelet::PSGI::Response;
use 5.010;
use strict;
use warnings;

use Carp ();
use Scalar::Util ();

# Sends a response. One without a body gives a writer, which is only for an app that was given a responder.
sub deliver {
    my ($link, $response, $writer) = @_;
    is_a($response, 'ARRAY') or die "the app's response is no array\n";
    my ($status, $headers, $body) = @$response;
    my $has_body = @$response == 3;
    $has_body || $writer && @$response == 2 or die "the app's response has a wrong number of elements\n";
    my $head = head($status, $headers);
    # Looked at before the head is sent: until then the client can be told.
    my $bytes;
    if (ref $body eq 'ARRAY') {    # an object made of one has its own `getline`
        $bytes = join '', map { $_ // '' } @$body;
        utf8::downgrade($bytes, 1) or die "the body has a character beyond 255: encode it first\n";
    }
    elsif ($has_body) {
        (Scalar::Util::blessed($body) ? $body->can('getline') : is_a($body, 'GLOB'))
            or die "the body is neither an array nor a handle; was its file opened?\n";
    }
    $link->ask('head', $head);
    $link->{state} = 'answered';
    return if !$has_body;
    if (!defined $bytes) { handle($link, $body) }
    elsif (length $bytes) { $link->ask('body', $bytes) }
    $link->{is_complete} = 1;
}

sub is_a { return (Scalar::Util::reftype($_[0]) // '') eq $_[1] }

sub head {
    my ($status, $headers) = @_;
    ($status // '') =~ /\A[0-9]{3}\z/ or die "the app's status has not three digits\n";
    is_a($headers, 'ARRAY') && @$headers % 2 == 0 or die "the app's headers are no array of pairs\n";
    my ($head, @rest) = ("HTTP/1.1 $status -\r\n", @$headers);
    while (my ($name, $value) = map { $_ // '' } splice @rest, 0, 2) {
        # A line end would be the start of another header, written by whoever chose the value.
        $name =~ /\A[A-Za-z0-9!#\$%&'*+.^_`|~-]+\z/ or die "a header of the app has a wrong name\n";
        $value =~ /[^\t\x20-\x7e\x80-\xff]/ and die "the app's header $name has a control character\n";
        $head .= "$name: $value\r\n";
    }
    return "$head\r\n";
}

sub handle {
    my ($link, $body) = @_;
    my $is_sent = eval {
        while (defined(my $bytes = part($body))) { $link->ask('body', $bytes) }
        1;
    };
    my $error = $@;
    # Closed in any case: there the app lets go of what it holds.
    $body->close if !Scalar::Util::blessed($body) || $body->can('close');
    die $error if !$is_sent;
}

sub part {
    local $/ = \65536;    # PSGI's word for parts instead of lines; not for longer, as others may run then
    return $_[0]->getline;
}

# ---- What an app gets that answers by itself. Among coroutines it may do so after it has returned, from wherever it is
# called then, as long as it keeps the responder or the writer.
package Eyelet::PSGI::Responder;
our @CARP_NOT = qw(Eyelet::PSGI::Writer);
# Returns when the answer is complete, or nobody is left who could complete it.
sub serve {
    my ($link, $code) = @_;
    $link->{inbox} = Coro::Channel->new if $link->{coroutine};
    $code->(responder($link));
    while ($link->{inbox} && !$link->{is_complete}) { ($link->{inbox}->get // last)->() }
    $link->{state} ne 'open' or die "the app has returned without an answer\n";
}

sub responder {
    my $link = shift;
    my $held = bless { link => $link }, 'Eyelet::PSGI::Held';
    return sub {
        my ($response) = @_;
        run($link, sub { Eyelet::PSGI::Response::deliver($link, $response, 1) });
        Eyelet::PSGI::Response::is_a($response, 'ARRAY') && @$response == 2 or return;
        return bless { link => $link, held => $held }, $link->{inbox} ? 'Eyelet::PSGI::Poller' : 'Eyelet::PSGI::Writer';
    };
}

# Has this done by the request's own coroutine: others may not be allowed to wait, as those that events call.
sub run {
    my ($link, $work) = @_;
    return $work->() if !$link->{inbox} || $link->{coroutine} == $Coro::current;
    Carp::croak("unable to write to the client: $link->{gone}") if defined $link->{gone};
    $link->{inbox}->put($work);
}

package Eyelet::PSGI::Held;
sub DESTROY { my $inbox = $_[0]{link}{inbox}; $inbox->put(undef) if $inbox }

# ---- What `$responder->([STATUS, HEADERS])` gives.
package Eyelet::PSGI::Writer;
sub write {
    my ($self, $bytes) = @_;
    Eyelet::PSGI::Responder::run($self->{link}, sub {
        $self->{link}->call('write to the client', 'body', $bytes // '');
        $self->poll;
    });
}

sub close {
    my $link = $_[0]{link};
    delete $_[0]{poll};
    Eyelet::PSGI::Responder::run($link, sub { $link->end; $link->{is_complete} = 1 });
}

sub poll { }

# ---- The same among coroutines: calls back whenever the client has taken what was written.
package Eyelet::PSGI::Poller;
our @ISA = 'Eyelet::PSGI::Writer';
sub poll_cb { my $self = shift; $self->{poll} = shift; $self->poll }

sub poll {
    my $self = shift;
    return if !$self->{poll} || $self->{is_polled}++ || !$self->{link}{inbox};
    $self->{link}{inbox}->put(sub { delete $self->{is_polled}; $self->{poll}->($self) if $self->{poll} });
}

1;
