# The examples do what they say.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use File::Spec ();
use Test::More;

# Runs an example: what it asks, each with the answer to give.
sub talk {
    my ($server, $path, @exchange) = @_;
    my $link = $server->request($path);
    while (my ($verb, $answer) = splice @exchange, 0, 2) {
        my $got = $link->verb;
        like($got->[0], qr/\A$verb\z/, $verb);
        $link->put("$answer\n");
    }
    is($link->verb, undef, 'the end');
}

sub start { return FakeServer->start('', file => File::Spec->rel2abs("$FindBin::Bin/../../../examples/perl/$_[0]")) }

my $gone = 'err gone the client has left';

subtest 'eyetoy.pl' => sub {
    my $server = start('eyetoy.pl');
    like(($server->request('/')->response)[1], qr/<canvas/, 'page');
    my @loop = ('wait 0 50 0' => 'ok 1', 'send-area 0 0 0 2' => 'ok 1');
    talk($server, '/eyetoy', handshake => 'ok', @loop, @loop, 'wait 0 50 0' => $gone);
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'mjpeg.pl' => sub {
    my $server = start('mjpeg.pl');
    my @part = ('wait 1 0 0' => 'ok 1', 'body 28' => 'ok', 'send-area 1 0 0 2' => 'ok 1', 'body 11' => 'ok');
    talk($server, '/', 'head \d+' => 'ok', 'body 9' => 'ok', @part, @part, 'wait 1 0 0' => $gone);
    is_deeply([$server->stop], [], 'quietly');
};

subtest 'counter.pl' => sub {
    my $server = start('counter.pl');
    like(($server->request('/')->response)[1], qr/<button/, 'page');
    my $link = $server->request('/see');
    is($link->verb->[0], 'handshake', 'see');
    $link->answer('ok');
    is($link->verb->[0], 'read count 0 8', 'it is read');
    $link->put("ok 8\n\5" . "\0" x 7);
    is_deeply($link->verb, ['send 1 1', '5'], 'and sent');
    $link->answer('ok');
    is($link->verb->[0], 'wait count 0 0', 'and waited for');
    $link->answer($gone);
    is($link->verb, undef, 'the end');
    $link = $server->request('/change');
    my @steps = (['handshake', "ok\n"], ['recv', "ok 1 2\n-1"], ['dec count 0 64 1', "ok 4\n"], ['recv', "ok 1 3\nten"]);
    for my $step (@steps) {
        is($link->verb->[0], $step->[0], $step->[0]);
        $link->put($step->[1]);
    }
    is_deeply([$link->obey], [['close 1007 11', 'say 1 or -1'], ['end']], 'nonsense closes it');
    is_deeply([$server->stop], [], 'quietly');
};

done_testing;
