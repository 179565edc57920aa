# Processes: loading, workers, ends.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use Fcntl ();
use POSIX ();
use Test::More;

my $app = <<'APP';
my $loaded = "$$ $0";
my $app = sub {
    my $env = shift;
    if ($env->{PATH_INFO} eq '/wait') { uwsgi::sharedarea_wait(0) }
    if ($env->{PATH_INFO} eq '/kill') { kill KILL => $$ }
    if ($env->{PATH_INFO} eq '/spawn') { return [200, [], [`ls -l /proc/self/fd`]] }
    return [200, ['X-Pid' => $$], [join "\n", __FILE__, $loaded, rand, join ',', grep { /^LISTEN/ } keys %ENV]];
}
APP

# Occupies a worker: returns when one has taken the request.
sub occupy {
    my $link = shift->request('/wait');
    is($link->verb->[0], 'wait 0 0 0', 'a worker has it');
    return $link;
}

sub page { return split /\n/, ($_[0]->request('/')->response)[1], -1 }

subtest 'one worker beyond the places' => sub {
    my $server = FakeServer->start($app, processes => 3);
    my @links = map { occupy($server) } 1 .. 4;
    is(scalar $server->workers, 4, 'and no more');
    my $late = $server->request('/');
    $links[0]->hang_up;
    ok(($late->response)[2], 'a request that is too many is served when one has ended');
    $_->hang_up for @links[1 .. 3];
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'loaded once, by its absolute path' => sub {
    my $server = FakeServer->start($app, processes => 2, file => 'app.pl', run => sub { chdir $_[0]{dir} });
    my @first = page($server);
    is($first[0], $server->{script}, '__FILE__');
    is($first[1], join(' ', $server->crews, $server->{script}), 'in the crew, with $0');
    is($first[3], '', 'the socket is not in the environment');
    my @links = map { occupy($server) } 1 .. 2;
    my @second = page($server);
    $_->hang_up for @links;
    @links = map { $server->request('/') } 1 .. 3;
    my @rands = map { (split /\n/, ($_->response)[1])[2] } @links;
    isnt($first[2], $second[2], 'chance is not repeated');
    my $descriptors = ($server->request('/spawn')->response)[1];
    unlike($descriptors, qr/socket:/, 'programs that the app starts inherit no socket');
    $server->stop;
};

subtest 'from a descriptor' => sub {
    my $run = sub {
        open my $host, '<', FakeServer::host() or die $!;
        POSIX::dup2(fileno $host, 9);
    };
    my $server = FakeServer->start($app, run => $run, host => '/proc/self/fd/9');
    is((page($server))[0], $server->{script}, 'it needs no path of its own');
    $server->stop;
};

subtest 'workers that die are replaced' => sub {
    my $server = FakeServer->start($app, processes => 1);
    my @links = map { occupy($server) } 1 .. 2;
    my @killed = $server->workers;
    kill KILL => @killed;
    for my $link (@links) {
        is($link->verb, undef, 'the request is cut');
        like($server->log_line, qr/\Aeyelet-psgi: worker \d+ ended: signal 9, status 0\z/, 'log');
    }
    @links = map { occupy($server) } 1 .. 2;
    my %is_killed = map { $_ => 1 } @killed;
    is(scalar(grep { !$is_killed{$_} } $server->workers), 2, 'two others');
    $_->hang_up for @links;
    is($server->request('/kill')->verb, undef, 'an app that kills itself');
    like($server->log_line, qr/signal 9, status 0\z/, 'log');
    ok((page($server))[0], 'and goes on');
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'ends when told' => sub {
    for my $signal (qw(TERM INT)) {
        my $server = FakeServer->start($app, processes => 3);
        my $link = occupy($server);
        kill $signal => $server->{pid};
        is($link->verb, undef, "$signal: the request is cut");
        is_deeply([$server->log_rest], [], 'all processes end quietly');
        is($server->wait_status, 0, 'status');
    }
};

subtest 'workers end with the parent' => sub {
    my $server = FakeServer->start($app, processes => 3);
    my $link = occupy($server);
    kill KILL => $server->{pid};
    is($link->verb, undef, 'the busy one');
    is_deeply([$server->log_rest], [], 'and the others, quietly');
    is($server->wait_status, 9, 'the parent was killed');
};

subtest 'what cannot be loaded' => sub {
    my %why = (
        'syntax' => ['my $app = sub {', qr/Missing right curly.* at \S+app\.pl line 1/],
        'die' => ["die qq(no\nluck)", qr/no luck at \S+app\.pl line/],
        'no app' => ['17', qr/no code reference/],
        'nothing' => ['', qr/no code reference/],
    );
    for my $name (sort keys %why) {
        my $server = FakeServer->start($why{$name}[0]);
        my @log = $server->log_rest;
        is(scalar @log, 1, "$name: one line");
        like($log[0], qr/\Aeyelet-psgi: failed to load `\Q$server->{script}\E`: .*$why{$name}[1]/, 'which says why');
        is($server->wait_status >> 8, 2, 'status');
    }
    my $server = FakeServer->start($app, file => '/nonexistent/app.pl');
    is($server->log_line, 'eyelet-psgi: failed to load `/nonexistent/app.pl`: No such file or directory', 'no file');
    is($server->wait_status >> 8, 2, 'status');
    $server = FakeServer->start($app, file => '/');
    is($server->log_line, 'eyelet-psgi: failed to load `/`: it is no file', 'a directory');
};

subtest 'wrong calls' => sub {
    for my $args (
        [], ['--processes', 0, 'app.pl'], ['--processes', 1], ['--processes', 1, 'app.pl', 'more'],
        ['--coroutines', 'many', 'app.pl'], ['--places', 1, 'app.pl'], ['--drain'],
    ) {
        my $server = FakeServer->start($app, args => $args);
        like($server->log_line, qr/\Aeyelet-psgi: it takes \[--processes P\] /, "@$args");
        is($server->wait_status >> 8, 2, 'status');
    }
    my %run = (
        'no socket' => sub { delete $ENV{LISTEN_FDS} },
        "another's socket" => sub { $ENV{LISTEN_PID} = 1 },
        'no listener' => sub { open my $null, '<', '/dev/null'; POSIX::dup2(fileno $null, 3) },
    );
    for my $name (sort keys %run) {
        my $server = FakeServer->start($app, run => $run{$name});
        like($server->log_line, qr/\Aeyelet-psgi: no socket to serve: /, $name);
        is($server->wait_status >> 8, 2, 'status');
    }
};

done_testing;
