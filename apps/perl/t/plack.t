# The suite that Plack publishes for servers of PSGI. The bridge is what the server would do: it makes an SCGI request
# of an HTTP request, and an HTTP response of verbs.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use Test::More;

eval { require Plack::Test::Suite; require HTTP::Response; require HTTP::Status; 1 }
    or plan skip_all => 'install Plack and HTTP::Message (Debian: libplack-perl libhttp-message-perl)';

my @modes = ({ processes => 2 });
push @modes, { coroutines => 2 } if eval { require Coro; require EV; require Coro::EV };

my $script = <<'APP';
use Plack::Test::Suite;
use Plack::Middleware::Lint;
my $app = Plack::Middleware::Lint->wrap(Plack::Test::Suite->test_app_handler);
APP

for my $mode (@modes) {
    subtest join(' ', %$mode) => sub {
        my $server = FakeServer->start($script, %$mode);
        my $index = 0;
        Plack::Test::Suite->runtests(sub {
            my ($name, $client) = @_;
            my $number = $index++;
            subtest $name => sub { $client->(sub { response($server, $number, @_) }) };
        });
        # Some of its handlers die or write on purpose; what is the host's own must be about these.
        my @lines = grep { /\Aeyelet-psgi: / } $server->stop;
        is(scalar(grep { !/failed: / } @lines), 0, 'the host has no trouble') or diag join "\n", @lines;
    };
}

sub response {
    my ($server, $number, $request) = @_;
    $request->header('X-Plack-Test' => $number);
    my $uri = $request->uri;
    (my $path = $uri->path) =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    my %vars = (
        REQUEST_METHOD => $request->method, PATH_INFO => $path, QUERY_STRING => $uri->query // '',
        REQUEST_URI => $uri->path_query, SERVER_NAME => $uri->host, SERVER_PORT => $uri->port,
        REMOTE_ADDR => '127.0.0.1', HTTP_HOST => $uri->host_port,
    );
    $request->headers->scan(sub {
        my ($name, $value) = @_;
        ($name = uc $name) =~ tr/-/_/;
        return if $name eq 'CONTENT_LENGTH';
        $name = "HTTP_$name" if $name ne 'CONTENT_TYPE';
        $vars{$name} = defined $vars{$name} ? join($name eq 'HTTP_COOKIE' ? '; ' : ', ', $vars{$name}, $value) : $value;
    });
    delete $vars{HTTP_HOST} if !defined $vars{HTTP_HOST};
    my ($head, $body) = $server->request($path, %vars, body => $request->content)->response;
    my $response = HTTP::Response->parse($head);
    $response->message(HTTP::Status::status_message($response->code));    # the reason is the server's to say
    $response->content($request->method eq 'HEAD' ? '' : $body);
    $response->request($request);
    return $response;
}

done_testing;
