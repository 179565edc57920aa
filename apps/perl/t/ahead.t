# What a stream says ahead: a send whose answer comes with the next, and the wait that goes with it.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use Test::More;

my $app = <<'APP';
sub frame { uwsgi::sharedarea_wait(0, 50); uwsgi::websocket_send_binary_from_sharedarea(0, 0) }
my %page = (
    stream => sub { while (1) { frame() } },
    three => sub { frame() for 1 .. 3 },
    receive => sub {
        frame() for 1 .. 3;
        my $message = uwsgi::websocket_recv_nb();
        uwsgi::websocket_send($message . uwsgi::sharedarea_wait(0, 50));
        uwsgi::websocket_send(uwsgi::sharedarea_wait(0, 50));
    },
    read => sub { frame() for 1 .. 3; uwsgi::sharedarea_read(0); uwsgi::sharedarea_wait(0) },
    limit => sub { for (1 .. 3) { uwsgi::sharedarea_wait(0, 0, 5); uwsgi::websocket_send_from_sharedarea(1, 0) } },
    fault => sub {
        frame() for 1 .. 3;
#line 1 code
        eval { uwsgi::sharedarea_wait(0, 50); 1 } or uwsgi::websocket_send($@);
        uwsgi::websocket_send_binary_from_sharedarea(0, 0);
    },
);
sub { my $env = shift; uwsgi::websocket_handshake(); $page{substr $env->{PATH_INFO}, 1}->() }
APP

my ($server, $link);

# These verbs come without an answer in between; then they get these.
sub step {
    my ($verbs, @answers) = @_;
    is_deeply([map { my $verb = $link->verb // ['nothing']; $verb->[-1] } @$verbs], $verbs, "@$verbs");
    # A payload has no end of its own.
    $link->put(join '', map { /\n/ ? $_ : "$_\n" } @answers);
}

# Two frames: the first send is awaited, and the second is followed by the wait of the third.
sub begin {
    $link = $server->request("/$_[0]");
    step(['handshake'], 'ok');
    my ($wait, $send) = @_[1, 2];
    step([$wait], 'ok 1');
    step([$send], 'ok 1');
    step([$wait], 'ok 2');
    step([$send, $wait], 'ok 2', 'ok 3');
}

my @frame = ('wait 0 50 0', 'send-area 0 0 0 2');
my @both = reverse @frame;
my $gone = 'err gone the client has left';
my $small = 'err out-of-range the frame has 9 bytes';

sub all {
    subtest 'a stream, one round trip for each frame' => sub {
        begin('stream', @frame);
        step(\@both, 'ok 3', "ok $_") for 4 .. 6;
        is_deeply([map { $link->verb->[0] } @both], \@both, 'and when the answers come one by one');
        $link->answer('ok 6');
        $link->put('ok ');
        $link->put("7\n");
        step(\@both, 'ok 7', $gone);
        is($link->verb, undef, 'ends when the client has left');
        begin('stream', @frame);
        step(\@both, $gone, $gone);
        is_deeply([$link->obey], [['stop']], 'and when it left in the middle of a frame');
        begin('stream', @frame);
        step(\@both);
        $link->hang_up;
    };

    subtest 'a script that does something else instead' => sub {
        begin('receive', @frame);
        step(\@both);
        step(['stop'], 'ok 3', 'err stopped no more');
        step(['recv-nb'], "ok 1 4\nword");
        step(['wait 0 50 0'], 'ok 4');
        is_deeply($link->verb, ['send 1 5', 'word4'], 'nothing is lost');
        $link->answer('ok');
        step(['wait 0 50 0'], 'ok 5');
        is_deeply([$link->obey], [['send 1 1', '5'], ['end']], 'to the end');

        begin('receive', @frame);
        step(\@both, 'ok 3', 'ok 4');
        step(['stop']);
        step(['recv-nb'], "ok 1 4\nword");
        is_deeply($link->verb, ['send 1 5', 'word4'], 'a wait that was over before the stop is had later');
        $link->answer('ok');
        step(['wait 0 50 0'], 'ok 5');
        is_deeply([$link->obey], [['send 1 1', '5'], ['end']], 'once');

        begin('read', @frame);
        step(\@both, 'ok 3', 'ok 4');
        step(['stop']);
        step(['read 0 0 0'], "ok 1\nx");
        is_deeply([$link->obey], [['wait 0 0 0'], ['end']], 'but not when that frame was read');
    };

    subtest 'the end' => sub {
        begin('three', @frame);
        step(\@both);
        step(['stop'], 'ok 3', 'err stopped no more');
        is_deeply([$link->obey], [['end']], 'comes when all is sent');
        begin('three', @frame);
        step(\@both);
        step(['stop'], $small, 'err stopped no more');
        is($link->verb, undef, 'a send that failed is a request that failed');
        my $text = 'before this, unable to send websocket binary message from sharedarea: out-of-range: ';
        like($server->log_line, qr{GET /three failed: \Q$text\Ethe frame has 9 bytes\z}, 'log');
    };

    subtest 'a wait with a time limit begins when the script says' => sub {
        $link = $server->request('/limit');
        step(['handshake'], 'ok');
        my ($wait, $send) = ('wait 0 0 5', 'send-area 1 0 0 1');
        step([$wait], 'ok 1');
        step([$send], 'ok 1');
        step([$wait], 'ok 2');
        step([$send, $wait], 'ok 2', 'ok 3');    # the script has said so
        is_deeply([$link->obey], [[$send], ['end']], 'so the last send goes alone');
    };

    subtest 'a send that fails later' => sub {
        begin('fault', @frame);
        step(\@both, $small);
        step(['stop'], 'ok 4');
        my $text = $link->verb->[1];
        is($text, 'unable to wait for sharedarea 0: before this, unable to send websocket binary message from '
            . "sharedarea: out-of-range: the frame has 9 bytes at code line 1.\n", 'is told by the call behind it');
        $link->answer('ok');
        step(['send-area 0 0 0 2'], 'ok 5');
        is_deeply([$link->obey], [['end']], 'and the next is awaited again');
    };
}

subtest 'in a process' => sub {
    $server = FakeServer->start($app);
    all();
    is_deeply([$server->stop], [], 'quietly');
};
subtest 'as a coroutine' => sub {
    eval { require Coro; require EV; require Coro::EV } or plan skip_all => 'there are no Coro and EV';
    $server = FakeServer->start($app, coroutines => 2);
    all();
    is_deeply([$server->stop], [], 'quietly');
};
done_testing;
