# The calls that read: messages, areas and their numbers.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use Test::More;

# Each page runs the Perl code in the query, and answers with its values and what it died of.
my $server = FakeServer->start(<<'APP');
my $show = sub { join ' ', map { defined ? "<$_>" : 'undef' } @_ };
my $app = sub {
    my $env = shift;
    my @values = eval "#line 1 code\n$env->{QUERY_STRING}";
    [200, [], [$show->(@values), $@ ? " died: $@" : '']];
}
APP

# Runs the code, compares its verbs, gives these answers, and compares what came of it.
sub calls {
    my ($code, $exchange, $result, $text) = @_;
    my $link = $server->request('/', QUERY_STRING => $code);
    my @exchange = @$exchange;
    while (my ($verb, $answer) = splice @exchange, 0, 2) {
        is_deeply($link->verb, ref $verb ? $verb : [$verb], $text // $code);
        $link->put($answer);
    }
    my (undef, $body, $is_ended) = $link->response;
    if (ref $result) { like($body, $result, 'value') } else { is($body, $result, 'value') }
    return $is_ended;
}

subtest 'messages' => sub {
    calls('uwsgi::websocket_recv()', [recv => "ok 1 4\nword"], '<word>');
    calls('uwsgi::websocket_recv(2.5)', ['recv 2.500000000' => "ok 1 4\nword"], '<word>');
    my $both = 'uwsgi::websocket_recv(), uwsgi::websocket_is_binary()';
    calls($both, [recv => "ok 2 3\na\nb"], "<a\nb> <1>");
    calls($both, [recv => "ok 1 3\n\xe2\x98\xba"], "<\xe2\x98\xba> <>");
    calls('uwsgi::websocket_recv()', [recv => "ok 1 0\n"], '<>', 'an empty message is not undef');
    calls('uwsgi::websocket_recv_nb()', ['recv-nb' => "ok 1 0\n"], '<>', 'nor is it here');
    calls('uwsgi::websocket_recv_nb()', ['recv-nb' => "ok\n"], 'undef', 'undef is none');
    my $gone = "err gone the client has left\n";
    # The client gets no answer any more, so this goes to the log.
    for my $case (['websocket_recv()', 'recv'], ['websocket_recv_nb()', 'recv-nb']) {
        calls("for (1, 2) { eval { uwsgi::$case->[0] }; print STDERR \$@ }", [$case->[1] => $gone], '', 'asked once');
        is($server->log_line, 'unable to receive websocket message: gone: the client has left at code line 1.', 'dies')
            for 1, 2;
    }
    calls('eval { uwsgi::sharedarea_wait(0) }; print STDERR uwsgi::websocket_recv() . "\n"',
        ['wait 0 0 0' => $gone, recv => "ok 1 4\nlast"], '', 'what came before the client left');
    is($server->log_line, 'last', 'can be had');
};

subtest 'close' => sub {
    my @ok = ("ok\n");
    calls('uwsgi::websocket_close()', [['close 1000 0', ''], @ok], '');
    calls('uwsgi::websocket_close(4001, "caf\xe9")', [['close 4001 4', "caf\xe9"], @ok], '', 'bytes as they are');
    calls('uwsgi::websocket_close(4001, "\x{263a}")', [['close 4001 3', "\xe2\x98\xba"], @ok], '', 'characters');
    calls('uwsgi::websocket_close(4001, "x" x 124)', [], qr/unable to close websocket: too-large/);
    calls('uwsgi::websocket_close("4001\nend")', [], qr/no number at code line 1/);
};

subtest 'read and write' => sub {
    calls('uwsgi::sharedarea_read(1, 0)', ['read 1 0 0' => "ok 5\nab\ncd"], "<ab\ncd>");
    calls('uwsgi::sharedarea_read("front", 4, 2)', ['read front 4 2' => "ok 2\nab"], '<ab>', 'by name');
    calls('length uwsgi::sharedarea_read(1)', ['read 1 0 0' => "ok 300000\n" . 'x' x 300_000], '<300000>', 'long');
    calls('uwsgi::sharedarea_read(1, 9, 9)', ['read 1 9 9' => "err out-of-range it has 4 bytes\n"],
        qr/unable to read from sharedarea 1: out-of-range: it has 4 bytes at code line 1/);
    calls('my $into = "before"; (uwsgi::sharedarea_readfast(1, 2, $into, 3), $into)', ['read 1 2 3' => "ok 3\nabc"],
        '<3> <abc>');
    calls('my @into; uwsgi::sharedarea_readfast(1, 2, $into[4]); scalar @into', ['read 1 2 0' => "ok 3\nabc"], '<5>');
    calls('uwsgi::sharedarea_write(2, 7, "a\nb")', [['write 2 7 3', "a\nb"], "ok 12\n"], '<12>');
    calls('uwsgi::sharedarea_write(2, 7, "")', [['write 2 7 0', ''], "ok 12\n"], '<12>');
    calls('uwsgi::sharedarea_write(0, 0, "a")', [['write 0 0 1', 'a'], "err refused a camera\n"],
        qr/unable to write to sharedarea 0: refused: a camera at code/);
    calls('uwsgi::sharedarea_write(2, 0, "\x{263a}")', [], qr/beyond 255: encode it first at code line 1/);
    calls('uwsgi::sharedarea_write(2, 0, "x" x 65537)', [], qr/too-large/);
    calls("uwsgi::sharedarea_$_(qq(a b), 0)", [], qr/a sharedarea is neither a number nor a name at code line 1/)
        for qw(read write inc8 read64 wait follow);
};

subtest 'numbers' => sub {
    calls('uwsgi::sharedarea_inc8(2, 3)', ['inc 2 3 8 1' => "ok -128\n"], '<-128>');
    calls('uwsgi::sharedarea_inc16(2, 3, 500)', ['inc 2 3 16 500' => "ok 501\n"], '<501>');
    calls('uwsgi::sharedarea_inc32(2, 3, -5)', ['dec 2 3 32 5' => "ok 1\n"], '<1>', 'a negative amount');
    calls('uwsgi::sharedarea_inc64("count", 0, 2 ** 60)', ['inc count 0 64 1152921504606846976' => "ok 1\n"], '<1>');
    my $most = '9223372036854775807';
    calls("uwsgi::sharedarea_inc64(2, 0, '$most')", ["inc 2 0 64 $most" => "ok $most\n"], "<$most>");
    calls("uwsgi::sharedarea_dec$_(2, 3)", ["dec 2 3 $_ 1" => "ok 7\n"], '<7>') for 8, 16, 32, 64;
    calls('uwsgi::sharedarea_dec8(2, 3, -4)', ['inc 2 3 8 4' => "ok 7\n"], '<7>');
    calls("uwsgi::sharedarea_inc8(2, 3, $_)", [], qr/an argument is no integer of 64 bits at code line 1/)
        for 1.5, '"x"', 2 ** 70, '"inf"', '"nan"';
    my %bytes = (8 => "\xfe", 16 => "\xfe\xff", 32 => "\xfe\xff\xff\xff", 64 => "\xfe" . "\xff" x 7);
    for my $bits (sort keys %bytes) {
        my $len = $bits / 8;
        calls("uwsgi::sharedarea_read$bits(2, 5)", ["read 2 5 $len" => "ok $len\n$bytes{$bits}"], '<-2>');
        calls("uwsgi::sharedarea_write$bits(2, 5, -2)", [["write 2 5 $len", $bytes{$bits}], "ok 3\n"], '<3>');
        calls("uwsgi::sharedarea_write$bits(2, 5, 258)", [], qr/no integer of 8 bits at code line 1/) if $bits == 8;
    }
    calls('uwsgi::sharedarea_write16(2, 5, 0xfffe)', [['write 2 5 2', "\xfe\xff"], "ok 3\n"], '<3>', 'without a sign');
    calls('uwsgi::sharedarea_write32(2, 5, 258)', [['write 2 5 4', "\2\1\0\0"], "ok 3\n"], '<3>', 'lowest first');
};

subtest 'wait and follow' => sub {
    calls('uwsgi::sharedarea_wait("front", 50, 1)', ['wait front 50 1' => "ok 4711\n"], '<4711>');
    calls('uwsgi::sharedarea_wait(7)', ['wait 7 0 0' => "err no-area there is no area 7\n"],
        qr/unable to wait for sharedarea 7: no-area: there is no area 7 at code line 1/);
    calls('uwsgi::sharedarea_follow(3)', ['follow 3 2' => "err no-area none\n"],
        qr/died: unable to follow sharedarea 3: no-area: none at code line 1\.$/);
    my $link = $server->request('/', QUERY_STRING => 'uwsgi::sharedarea_follow("front"); print STDERR "after\n"');
    is_deeply($link->verb, ['follow front 2'], 'follow');
    $link->answer('err gone the client has left');
    is($server->log_line, 'after', 'returns when the client has left');
    is($link->verb, undef, 'which is the end');
};

subtest 'list' => sub {
    my $lines = "0 front camera live 614400 YUYV 640 480 1280 4711\n2 count app live 4096 - - - - 1\n";
    my $code = 'map { my $area = $_; join ",", map { "$_=" . ($area->{$_} // "undef") } sort keys %$area } '
        . 'uwsgi::sharedarea_list()';
    calls($code, [areas => 'ok ' . length($lines) . "\n$lines"],
        '<fourcc=YUYV,height=480,id=0,kind=camera,len=614400,name=front,sequence=4711,state=live,stride=1280,'
        . 'width=640> <fourcc=undef,height=undef,id=2,kind=app,len=4096,name=count,sequence=1,state=live,'
        . 'stride=undef,width=undef>');
    calls('uwsgi::sharedarea_list()', [areas => "ok 0\n"], '', 'none');
};

subtest 'answers that are none' => sub {
    calls('uwsgi::sharedarea_read(0, 0)', ['read 0 0 0' => "ok many\n"], qr/the server's answer is not understood/);
    calls('uwsgi::sharedarea_read(0, 0)', ['read 0 0 0' => "fine\n"], qr/the server's answer is not understood/);
};

subtest 'outside a request' => sub {
    no warnings 'qw';    # commas are meant
    my @calls = map { "uwsgi::$_" } qw[websocket_recv() websocket_recv_nb() websocket_close() websocket_handshake()
        sharedarea_wait(0) sharedarea_read(0) sharedarea_readfast(0,0,$a) sharedarea_write(0,0,1) sharedarea_inc8(0)
        sharedarea_read32(0) sharedarea_follow(0) sharedarea_list()];
    my $text = join "\n", 'my @early;', (map { "eval { $_; 1 } or push \@early, \$@;" } @calls),
        'sub { [200, [], [join "", @early]] }';
    my $server = FakeServer->start($text);
    my @lines = split /\n/, ($server->request('/')->response)[1];
    my $line = 2;
    like(shift @lines, qr/: there is no request at \S+app\.pl line @{[$line++]}\.\z/, $_) for @calls;
    $server->stop;
};

is_deeply([$server->stop], [], 'nothing was logged');
done_testing;
