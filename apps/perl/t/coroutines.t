# Many requests in one process.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use Test::More;

my $app = <<'APP';
my $text = ['Content-Type' => 'text/plain'];
my $kept;
my %page = (
    wait => sub { uwsgi::sharedarea_wait(1); [200, $text, ['end']] },
    env => sub { my $env = shift; [200, $text, [join ',', map { "$_=$env->{$_}" } split / /, $env->{QUERY_STRING}]] },
    pid => sub { [200, $text, [$$]] },
    loop => sub {
        my $env = shift;
        my ($name) = $env->{QUERY_STRING};
        uwsgi::websocket_handshake();
        for my $i (1 .. 3) {
            local $_ = "$name$i";
            my $error = eval { uwsgi::sharedarea_wait($name); 1 } ? '' : $@;
            uwsgi::websocket_send("$_ $name$i $error");
            my $message = uwsgi::websocket_recv();
            uwsgi::websocket_send("$message " . (uwsgi::websocket_is_binary() ? 'binary' : 'text'));
        }
    },
    big => sub { [200, $text, ['x' x 3_000_000]] },
    die => sub { uwsgi::sharedarea_wait(1); die "no luck\n" },
    exit => sub { uwsgi::sharedarea_wait(1); exit 3 },
    'exit-elsewhere' => sub { Coro::async { exit 4 }; Coro::cede(); [200, $text, ['alive']] },
    child => sub {
        my $pid = fork // die;
        $pid or exit 7;
        my $child = EV::child($pid, 0, Coro::rouse_cb());
        Coro::rouse_wait();
        [200, $text, [$child->rstatus >> 8]];
    },
    async => sub { Coro::async { eval { uwsgi::sharedarea_wait(1) }; $kept = $@ }->join; [200, $text, [$kept]] },
    timer => sub { sub {
        my $respond = shift;
        my $timer; $timer = EV::timer(0.01, 0, sub { undef $timer; $respond->([200, $text, ['later']]) });
    } },
    'timer-writes' => sub { sub {
        my $writer = $_[0]->([200, $text]);
        my @parts = 1 .. 3;
        my $timer; $timer = EV::timer(0, 0.01, sub {
            if (@parts) { $writer->write(shift @parts) } else { undef $timer; $writer->close }
        });
    } },
    poll => sub { sub {
        my $writer = $_[0]->([200, $text]);
        my @parts = 1 .. 3;
        $writer->poll_cb(sub { if (@parts) { $_[0]->write(shift @parts) } else { $_[0]->close } });
    } },
    forgets => sub { sub {
        my $respond = shift;
        my $timer; $timer = EV::timer(0, 0, sub { undef $timer; undef $respond });
    } },
    'forgets-writer' => sub { sub { $_[0]->([200, $text])->write('part') } },
    keeps => sub { sub { my $w = $kept = $_[0]->([200, $text]); $w->write('part') } },
    kept => sub { my $ok = eval { $kept->write('x'); 1 }; [200, $text, [$ok ? 'written' : $@]] },
);
my $app = sub { my $env = shift; my ($name) = $env->{PATH_INFO} =~ m{\A/(.*)}s; $page{$name}->($env) }
APP

# What the host says if it cannot do it at all, whether or not the modules are there.
subtest 'without Coro' => sub {
    my $run = sub {
        mkdir "$_[0]{dir}/lib";
        $_[0]->write_script("die qq(no such module\\n)", 'lib/Coro.pm');
        $ENV{PERL5LIB} = "$_[0]{dir}/lib";
    };
    my $server = FakeServer->start($app, processes => 2, coroutines => 3, run => $run);
    like($server->log_line, qr/: no coroutines without Coro and EV \(Debian: .*\); 6 processes instead\z/, 'one line');
    my @links = map { $server->request('/wait') } 1 .. 7;
    is($_->verb->[0], 'wait 1 0 0', 'taken') for @links;
    is(scalar $server->workers, 7, 'one worker beyond the places');
    is_deeply([$server->stop], [], 'and no more');
};

if (!eval { require Coro; require EV; require Coro::EV }) {
    diag 'coroutines are not tested: install Coro and EV (Debian: libcoro-perl libev-perl)';
    done_testing;
    exit;
}

my $ok_head = "HTTP/1.1 200 -\r\nContent-Type: text/plain\r\n\r\n";

sub get { my ($server, @request) = @_; return [$server->request(@request)->response] }

sub occupy {
    my $link = shift->request('/wait');
    is($link->verb->[0], 'wait 1 0 0', 'taken');
    return $link;
}

sub ticks {
    my $ticks = 0;
    for my $pid (@_) {
        open my $file, '<', "/proc/$pid/stat" or die $!;
        my @fields = split / /, readline $file;
        $ticks += $fields[13] + $fields[14];
    }
    return $ticks;
}

sub is_silent {
    my ($link, $seconds) = @_;
    vec(my $ready = '', fileno $link->{socket}, 1) = 1;
    return !select $ready, undef, undef, $seconds;
}

subtest 'ten in one process, one step of each after the other' => sub {
    my $server = FakeServer->start($app, coroutines => 10);
    my %link = map { $_ => $server->request('/loop', QUERY_STRING => $_) } 'a' .. 'j';
    my $each = sub {
        my ($verb, $answer) = @_;
        my $all = join ' ', map { $link{$_}->verb->[0] } sort keys %link;
        is($all, join(' ', map { (my $v = $verb) =~ s/NAME/$_/; $v } sort keys %link), $verb);
        $link{$_}->answer($answer) for reverse sort keys %link;
    };
    $each->('handshake', 'ok');
    for my $i (1 .. 3) {
        $each->('wait NAME 0 0', $i == 2 ? 'err timeout no frame' : 'ok 7');
        for my $name (sort keys %link) {
            my $verb = $link{$name}->verb;
            my $error = $i == 2 ? qr/unable to wait for sharedarea $name: timeout: no frame at .*/s : qr//;
            like($verb->[1], qr/\A$name$i $name$i $error\z/, 'each has its own values');
            $link{$name}->answer('ok');
        }
        my $opcode = 1 + $i % 2;
        is($link{$_}->verb->[0], 'recv', 'recv') for sort keys %link;
        # In two parts, so that one that waits for its payload meets the others.
        $link{$_}->put("ok $opcode 2\n$_") for sort keys %link;
        $link{$_}->put($i) for reverse sort keys %link;
        for my $name (sort keys %link) {
            is($link{$name}->verb->[1], "$name$i " . ($i % 2 ? 'binary' : 'text'), 'its own message');
            $link{$name}->answer('ok');
        }
    }
    is_deeply([$_->obey], [['end']], 'end') for values %link;
    is(scalar $server->workers, 1, 'in one process');
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'a full process takes no more, and is calm' => sub {
    my $server = FakeServer->start($app, processes => 2, coroutines => 2);
    my @links = map { occupy($server) } 1 .. 6;
    my $late = $server->request('/pid');
    my @workers = $server->workers;
    is(scalar @workers, 2, 'two processes');
    my $ticks = ticks(@workers);
    ok(is_silent($late, 0.5), 'a request beyond both and one more each waits');
    cmp_ok(ticks(@workers) - $ticks, '<', 10, 'which takes no time of the processor');
    $links[0]->answer('ok 1');
    $links[0]->obey;
    ok(($late->response)[2], 'it is served when one has ended');
    my $last = occupy($server);
    kill HUP => $server->{pid};
    like($server->log_line, qr/ anew\z/, 'another crew serves');
    ok(get($server, '/pid')->[2], 'at once');
    $ticks = ticks(@workers);
    select undef, undef, undef, 0.5;
    cmp_ok(ticks(@workers) - $ticks, '<', 10, 'and who is full when it is to end is calm');
    for my $link (@links[1 .. 5], $last) {
        $link->answer('ok 1');
        is(($link->response)[1], 'end', 'and finishes what it has');
    }
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'what a request suffers, it suffers alone' => sub {
    my $server = FakeServer->start($app, coroutines => 3);
    my $other = occupy($server);
    my ($pid) = get($server, '/pid')->[1];
    for my $page (('die', 'exit') x 3) {    # more than there are places
        my $link = $server->request("/$page");
        $link->verb;
        $link->answer('ok 1');
        like(($link->response)[0], qr/ 500 /, "$page: client");
        like($server->log_line, qr/GET \/$page failed: (no luck|exit\(3\) was called)\z/, 'log');
    }
    is(get($server, '/exit-elsewhere')->[1], 'alive', "exit in a coroutine of the app's own");
    like($server->log_line, qr/a coroutine ended: exit\(4\) was called/, 'log');
    like(get($server, '/async')->[1], qr/there is no request/, 'which has no request');
    is(get($server, '/child')->[1], 7, 'a child of the app exits, and EV tells');
    is(get($server, '/pid')->[1], $pid, 'the same process goes on');
    $other->answer('ok 1');
    is_deeply([$other->response], [$ok_head, 'end', 1], 'and the other request');
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'a long body to a server that takes its time' => sub {
    my $server = FakeServer->start($app, coroutines => 2);
    my $link = $server->request('/big');
    is($link->verb->[0], 'head ' . length $ok_head, 'head');
    $link->answer('ok');
    is(get($server, '/pid')->[2], 1, 'others are served while it is stuck');
    is(length join('', map { $_->[1] // '' } $link->obey), 3_000_000, 'whole');
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'many that wait need little' => sub {
    my $server = FakeServer->start($app, coroutines => 400);
    my $memory = sub {
        my ($pid) = $server->workers;
        open my $file, '<', "/proc/$pid/smaps_rollup" or return;
        my %kib = map { /\A(\w+): +([0-9]+) kB/ ? ($1, $2) : () } readline $file;
        return $kib{Private_Dirty};
    };
    my %vars = (HTTP_USER_AGENT => 'x' x 80, HTTP_ORIGIN => 'x' x 21, HTTP_SEC_WEBSOCKET_KEY => 'x' x 24);
    get($server, '/pid');
    my @links;
    my $before = $memory->() or plan skip_all => 'this kernel does not tell';
    my $is_right = 1;
    for my $link (map { $server->request('/loop', QUERY_STRING => 'a', %vars) } 1 .. 400) {
        for my $step ([handshake => 'ok'], ['wait a 0 0' => 'ok 1'], ['send 1 6' => 'ok'], [recv => undef]) {
            $is_right &&= $link->verb->[0] eq $step->[0];
            $link->answer($step->[1]) if defined $step->[1];
        }
        push @links, $link;
    }
    ok($is_right, 'verbs');
    cmp_ok(($memory->() - $before) / 400, '<', 25, 'KiB for each, of the process alone');;
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'environment' => sub {
    my $names = 'psgi.multithread psgi.multiprocess psgi.nonblocking psgi.streaming psgix.harakiri';
    for my $case ([1, ''], [2, 1]) {
        my $server = FakeServer->start($app, coroutines => 2, processes => $case->[0]);
        is(get($server, '/env', QUERY_STRING => $names)->[1],
            "psgi.multithread=1,psgi.multiprocess=$case->[1],psgi.nonblocking=1,psgi.streaming=1,psgix.harakiri=");
        $server->stop;
    }
};

subtest 'answers from events' => sub {
    my $server = FakeServer->start($app, coroutines => 2);
    is_deeply(get($server, '/timer'), [$ok_head, 'later', 1], 'whole');
    is_deeply(get($server, '/timer-writes'), [$ok_head, '123', 1], 'in parts');
    is_deeply(get($server, '/poll'), [$ok_head, '123', 1], 'when the client has taken the part before');
    is_deeply(get($server, '/forgets-writer'), [$ok_head, 'part', 1], 'a writer that is let go ends the answer');
    like(get($server, '/forgets')->[0], qr/ 500 /, 'a responder that is let go');
    like($server->log_line, qr/returned without an answer/, 'log');
    my $link = $server->request('/keeps');
    for (1, 2) { $link->verb; $link->answer($_ == 1 ? 'ok' : 'err gone the client has left') }
    is($link->verb, undef, 'a client that leaves');
    like(get($server, '/kept')->[1], qr/\Aunable to write to the client: gone: /, 'who still has the writer is told');
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'ends' => sub {
    my $server = FakeServer->start($app, coroutines => 2);
    my $link = occupy($server);
    kill KILL => $server->{pid};
    is($link->verb, undef, 'with the host');
    is_deeply([$server->log_rest], [], 'quietly');
};

done_testing;
