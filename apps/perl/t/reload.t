# A script that is replaced while it serves.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use POSIX ();
use Test::More;

# The text of a script that calls itself so.
sub script {
    my ($name, $before) = @_;
    return ($before // '') . <<"APP";
END { print STDERR "end of $name\\n" }
my \$app = sub {
    uwsgi::sharedarea_wait(1) if \$_[0]{PATH_INFO} eq '/wait';
    [200, [], ['$name']];
}
APP
}

sub page { return ($_[0]->request('/')->response)[1] }

# The log has these lines next, in whatever order they came.
sub log_is {
    my ($server, @wanted) = @_;
    my @lines = map { $server->log_line } @wanted;
    for my $wanted (@wanted) { is(scalar(grep { ref $wanted ? $_ =~ $wanted : $_ eq $wanted } @lines), 1, $wanted) }
}

# Waits until there are so many, as one that has said its last word is there for a moment longer.
sub crews_are {
    my ($server, $count, $text) = @_;
    while ($server->crews != $count) { select undef, undef, undef, 0.01 }
    pass($text);
}

sub occupy {
    my $link = shift->request('/wait');
    is($link->verb->[0], 'wait 1 0 0', 'taken');
    return $link;
}

sub finish {
    my ($link, $name) = @_;
    $link->answer('ok 1');
    is_deeply([($link->response)[1, 2]], [$name, 1], "`$name` finishes what it has");
}

my @modes = ({ processes => 2 });
if (eval { require Coro; require EV; require Coro::EV }) { push @modes, { coroutines => 3 } }
else { diag 'coroutines are not tested: install Coro and EV (Debian: libcoro-perl libev-perl)' }

for my $mode (@modes) {
    subtest "SIGHUP, with @{[%$mode]}" => sub {
        my $server = FakeServer->start(script('one'), %$mode);
        my $path = quotemeta $server->{script};
        my @links = (occupy($server), occupy($server));
        is(page($server), 'one', 'before');
        for my $name ('two', 'three') {
            $server->write_script(script($name));
            kill HUP => $server->{pid};
            # Who has nothing to finish ends at once.
            log_is($server, qr/\Aeyelet-psgi: loaded `$path` anew\z/, ('end of two') x ($name eq 'three'));
            is(page($server), $name, 'new requests have the new script');
        }
        crews_are($server, 2, 'one crew finishes, one serves');
        $server->write_script('my $app = sub {');
        kill HUP => $server->{pid};
        like($server->log_line, qr/failed to load `$path`: .* right curly .*; the one before goes on\z/, 'one line');
        is(page($server), 'three', 'and nothing else');
        $server->write_script("use POSIX; POSIX::_exit(3)");
        kill HUP => $server->{pid};
        like($server->log_line, qr/: it ended by itself: signal 0, status 3; the one before goes on\z/, 'abruptly');
        is(page($server), 'three', 'the same');
        finish($_, 'one') for @links;
        log_is($server, 'end of one');
        my $link = occupy($server);
        kill TERM => $server->{pid};
        is($link->verb, undef, 'the end of the host is the end of all');
        is_deeply([$server->log_rest], ['end of three'], 'log');
        is($server->wait_status, 0, 'status');
    };

    subtest "a request that does not end, with @{[%$mode]}" => sub {
        my $server = FakeServer->start(script('one'), %$mode, drain => 1);
        my $link = occupy($server);
        kill HUP => $server->{pid};
        like($server->log_line, qr/anew/, 'loaded');
        is($link->verb, undef, 'is cut when its time is over');
        log_is($server, 'end of one');
        is(page($server), 'one', 'the new ones are not');
        $server->stop;
    };
}

subtest 'while another one is being loaded' => sub {
    my $server = FakeServer->start(script('one'));
    is(page($server), 'one', 'before');
    my $fifo = "$server->{dir}/fifo";
    POSIX::mkfifo($fifo, 0600) or die $!;
    $server->write_script(script('two', "open my \$fifo, '<', '$fifo'; readline \$fifo;\n"));
    kill HUP => $server->{pid};
    open my $writer, '>', $fifo or die $!;    # when it reads
    is(page($server), 'one', 'the one before serves');
    $server->write_script(script('three'));
    kill HUP => $server->{pid};
    log_is($server, qr/anew/, 'end of one');
    is(page($server), 'three', 'the last one wins');
    crews_are($server, 1, 'and the first is gone');
    $server->stop;
};

subtest 'the host dies while a script is being loaded' => sub {
    my $server = FakeServer->start(script('one'), run => sub { POSIX::mkfifo("$_[0]{dir}/fifo", 0600) or die $! });
    is(page($server), 'one', 'before');
    my $fifo = "$server->{dir}/fifo";
    $server->write_script("open my \$fifo, '<', '$fifo'; readline \$fifo;\n");
    kill HUP => $server->{pid};
    open my $writer, '>', $fifo or die $!;
    kill KILL => $server->{pid};
    is_deeply([$server->log_rest], ['end of one'], 'all end');
};

subtest 'a crew that dies' => sub {
    my $server = FakeServer->start(script('one'));
    my $link = occupy($server);
    $server->write_script(script('two'));
    my ($crew) = $server->crews;
    kill KILL => $crew;
    is($link->verb, undef, 'ends its workers');
    is($server->log_line, "eyelet-psgi: crew $crew ended: signal 9, status 0", 'log');
    is(page($server), 'two', 'and is replaced');
    $server->write_script('no script');
    ($crew) = $server->crews;
    kill KILL => $crew;
    like($server->log_line, qr/crew $crew ended/, 'log');
    like($server->log_line, qr/failed to load/, 'if nobody can serve');
    is($server->wait_status >> 8, 2, 'the host ends: the server starts it again');
};

subtest '--reload-on-change' => sub {
    my $run = sub {
        $_[0]->write_script('package Part; our $name = "part"; 1', 'Part.pm');
        $_[0]->write_script(script('one', "use lib '$_[0]{dir}'; use Part;"));
    };
    my $server = FakeServer->start('', 'reload-on-change' => 1, run => $run);
    is(page($server), 'one', 'before');
    $server->write_script(script('two', "use lib '$server->{dir}'; use Part;"));
    log_is($server, qr/anew/, 'end of one');
    is(page($server), 'two', 'the script has changed');
    $server->write_script('package Part; sub {', 'Part.pm');
    like($server->log_line, qr/failed to load .*Part\.pm .*; the one before goes on\z/, 'a file of it is broken');
    is(page($server), 'two', 'the one before serves');
    unlink "$server->{dir}/Part.pm" or die $!;
    $server->write_script('package Part; 1', 'Part.pm');
    log_is($server, qr/anew/, 'end of two');
    is(page($server), 'two', 'until it is mended');
    is_deeply([$server->stop], ['end of two'], 'and no more');
};

done_testing;
