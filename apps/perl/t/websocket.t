# The calls of the package `uwsgi`.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use Test::More;

my $server = FakeServer->start(<<'APP');
use File::Basename;
use IO::File;

my $early = eval { uwsgi::websocket_send('too early'); 1 } ? 'sent' : $@;

# The shape of the article's script.
my $stream = sub {
    my $env = shift;
    uwsgi::websocket_handshake($env->{HTTP_SEC_WEBSOCKET_KEY}, $env->{HTTP_ORIGIN});
    while (1) {
        uwsgi::sharedarea_wait(0, 50);
        uwsgi::websocket_send_binary_from_sharedarea(0, 0)
    }
};
my %page = (
    eyetoy => $stream,
    all => sub {
        uwsgi::websocket_handshake('key', undef, 'chosen');
        uwsgi::sharedarea_wait(1);
        uwsgi::sharedarea_wait('2', 12.5, 0.00001);
        uwsgi::websocket_send_from_sharedarea(3, 16, 100);
        uwsgi::websocket_send_binary_from_sharedarea(3, 16);
        uwsgi::websocket_send("\x{263a}\n");
        uwsgi::websocket_send_binary("\x00\xff\n");
        return 'whatever';
    },
    catch => sub {
        my @caught;
        for my $call (sub { uwsgi::sharedarea_wait(0, 50, 1) }, sub { uwsgi::websocket_send('x') }) {
            eval { $call->(); 1 } or push @caught, $@;
        }
        [200, [], ["@caught"]];
    },
    wrong => sub {
        my @caught;
        for my $call (
            sub { uwsgi::websocket_handshake('key', '', "a\nend") },
            sub { uwsgi::sharedarea_wait("0 0 0\nend") },
            sub { uwsgi::sharedarea_wait() },
            sub { uwsgi::sharedarea_wait(0, 'inf') },
            sub { uwsgi::websocket_send('x' x (2**24 + 1)) },
            sub { uwsgi::websocket_send_binary("\x{263a}") },
        ) { eval { $call->(); 1 } or push @caught, $@ }
        [200, [], [join '|', @caught]];
    },
    stubborn => sub { for (1 .. 3) { eval { uwsgi::sharedarea_wait(0) } } die "my own: $@" },
    buggy => sub { eval { uwsgi::sharedarea_wait(0) }; die "another fault\n" },
    missing => sub { uwsgi::sharedarea_update(0) },
    early => sub { [200, [], [$early]] },
);
my $app = sub {
    my $env = shift;
    my $page = $page{substr $env->{PATH_INFO}, 1} or return [200, ['Content-Type' => 'text/html'], new IO::File(__FILE__)];
    return $page->($env);
}
APP

sub stream { return $server->request('/eyetoy', HTTP_SEC_WEBSOCKET_KEY => 'key', HTTP_ORIGIN => 'http://localhost') }

sub expect {
    my ($link, $verb, $answer) = @_;
    is_deeply($link->verb, ref $verb ? $verb : [$verb], ref $verb ? $verb->[0] : $verb);
    $link->answer($answer) if defined $answer;
}

subtest 'the loop of the article' => sub {
    my $link = stream();
    expect($link, 'handshake', 'ok');
    for my $sequence (1 .. 3) {
        expect($link, 'wait 0 50 0', "ok $sequence");
        expect($link, 'send-area 0 0 0 2', "ok $sequence");
    }
    expect($link, 'wait 0 50 0', 'err gone the client has left');
    is($link->verb, undef, 'the app lets go');
};

subtest 'a client that leaves at any moment is no fault' => sub {
    for my $count (0 .. 2) {
        my $link = stream();
        for (1 .. $count) { $link->verb; $link->answer('ok') }
        $link->verb;
        $link->hang_up;
    }
    my $link = stream();
    expect($link, 'handshake', 'err gone the client has left');
    is($link->verb, undef, 'the app lets go');
};

subtest 'every call' => sub {
    my @verbs = $server->request('/all')->obey;
    my $expected = [
        ['handshake chosen'], ['wait 1 0 0'], ['wait 2 12.500000000 0.000010000'], ['send-area 3 16 100 1'],
        ['send-area 3 16 0 2'], ['send 1 4', "\xe2\x98\xba\n"], ['send 2 3', "\x00\xff\n"], ['end'],
    ];
    is_deeply(\@verbs, $expected, 'verbs; what the app returns after a handshake is not sent');
};

subtest 'subprotocol' => sub {
    for my $case (['chat', 'handshake chat'], ['chat, talk', 'handshake chat'], ['', 'handshake']) {
        my $link = $server->request('/eyetoy', HTTP_SEC_WEBSOCKET_PROTOCOL => $case->[0]);
        is($link->verb->[0], $case->[1], "offered: `$case->[0]`");
    }
};

subtest 'errors name the line in the app' => sub {
    my $link = $server->request('/catch');
    expect($link, 'wait 0 50 1', 'err timeout no newer frame came in time');
    expect($link, ['send 1 1', 'x'], 'err bad-state there is no WebSocket');
    my (undef, $body) = $link->response;
    my $at = qr/at \Q$server->{script}\E line 29\.\n/;
    like($body, qr/\Aunable to wait for sharedarea 0: timeout: no newer frame came in time $at /, 'timeout');
    like($body, qr/unable to send websocket message: bad-state: there is no WebSocket $at\z/, 'state');
};

subtest 'a handshake that is refused' => sub {
    my $link = $server->request('/eyetoy');
    expect($link, 'handshake', 'err bad-state no Sec-WebSocket-Key');
    my ($head, $body, $is_ended) = $link->response;
    like($head, qr/\AHTTP\/1\.1 500 /, 'head');
    ok($is_ended, 'end');
    like($server->log_line, qr/GET \/eyetoy failed: .*no Sec-WebSocket-Key at \S+app\.pl line \d+/, 'log');
};

subtest 'nothing wrong is sent' => sub {
    my ($head, $body) = $server->request('/wrong')->response;
    like($head, qr/\AHTTP\/1\.1 200 /, 'head is the first verb');
    my @caught = split /\|/, $body;
    like(shift @caught, qr/$_.* at \Q$server->{script}\E line/, $_)
        for 'no token', 'neither a number nor a name', 'neither a number nor a name', 'no number', 'too-large', 'beyond 255';
};

subtest 'after the end' => sub {
    my $link = $server->request('/stubborn');
    expect($link, 'wait 0 0 0', 'err gone the client has left');
    is($link->verb, undef, 'no verb follows');
    $link = $server->request('/buggy');
    expect($link, 'wait 0 0 0', 'err gone the client has left');
    is($link->verb, undef, 'no verb follows');
    is($server->log_line, 'eyelet-psgi: GET /buggy failed: another fault', 'only another fault is logged');
};

subtest 'what is not there' => sub {
    like(($server->request('/missing')->response)[0], qr/ 500 /, 'a call that is not offered fails');
    like($server->log_line, qr/Undefined subroutine &uwsgi::sharedarea_update/, 'log');
    like(($server->request('/early')->response)[1], qr/there is no request at \S+app\.pl line 4/, 'a call while loading');
};

like(($server->request('/')->response)[1], qr/new IO::File\(__FILE__\)/, 'the page');
is_deeply([$server->stop], [], 'nothing else was logged');
done_testing;
