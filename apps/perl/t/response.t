# From what an app returns to the verbs that the server gets.
use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FakeServer;
use Test::More;

my $server = FakeServer->start(<<'APP');
package Counted;    # a body that is no file
sub new { my ($class, @parts) = @_; return bless [@parts], $class }
sub getline { my $part = shift @{ $_[0] }; die "the disk is broken\n" if ($part // '') eq 'break'; return $part }
sub close { print STDERR "closed\n" }

package main;
use File::Temp;
sub file { my $file = File::Temp->new; print {$file} $_[0]; seek $file, 0, 0; return $file }

my $text = ['Content-Type' => 'text/plain'];
my %page = (
    array => sub { [200, $text, ['one', '', 'two', undef]] },
    empty => sub { [204, [], []] },
    large => sub { [200, $text, ['x' x (2**20 + 5)]] },
    file => sub { [200, $text, file('y' x 100_000)] },
    glob => sub { open my $file, '<', \'from a plain handle'; [200, $text, $file] },
    object => sub { [200, $text, Counted->new('a', 'bc', '')] },
    env => sub { my $env = shift; [200, $text, [join ',', map { "$_=" . ($env->{$_} // '') } split / /, $env->{QUERY_STRING}]] },
    echo => sub { my $env = shift; $env->{'psgi.input'}->read(my $body, $env->{CONTENT_LENGTH}); [200, $text, [$body]] },
    lines => sub { my $env = shift; [200, $text, [reverse readline $env->{'psgi.input'}]] },
    stream => sub { sub {
        my $writer = $_[0]->([200, $text]);
        $writer->write($_) for 'one', 'two';
        $writer->close;
    } },
    unclosed => sub { sub { $_[0]->([200, $text])->write('part') } },
    delayed => sub { sub { $_[0]->([200, $text, ['later']]) } },
    silent => sub { sub { } },
    twice => sub { sub { $_[0]->([200, $text, ['first']]); $_[0]->([200, $text, ['second']]) } },
    'after-close' => sub { sub { my $writer = $_[0]->([200, $text]); $writer->close; $writer->write('x') } },
    'die' => sub { die "no such\nluck\n" },
    'die-object' => sub { die { code => 5 } },
    'die-late' => sub { sub { my $writer = $_[0]->([200, $text]); $writer->write('part'); die "too late\n" } },
    'die-body' => sub { [200, $text, Counted->new('part', 'break')] },
    'no-response' => sub { undef },
    'no-body' => sub { [200, $text] },
    'no-file' => sub { [200, $text, IO::File->new('/nonexistent')] },
    'bad-status' => sub { ['fine', $text, []] },
    'odd-headers' => sub { [200, ['Content-Type'], []] },
    'two-headers' => sub { [302, [Location => "/\r\nSet-Cookie: a=b"], []] },
    'bad-name' => sub { [200, ["A\r\nB" => 'c'], []] },
    'wide' => sub { [200, $text, ["\x{263a}"]] },
    'wide-write' => sub { sub {
        my $writer = $_[0]->([200, $text]);
        $writer->write($_) for 'part', "\x{263a}";
    } },
    'wide-line' => sub { [200, $text, Counted->new("\x{263a}")] },
    'exit' => sub { exit 3 },
    'exit-caught' => sub { eval { exit }; [200, $text, ['went on']] },
    'exit-late' => sub { sub { my $writer = $_[0]->([200, $text]); eval { exit 1 }; $writer->write('went on') } },
    'harakiri' => sub { $_[0]{'psgix.harakiri.commit'} = 1; [200, $text, [$$]] },
    'spawn' => sub { my $pid = fork // die; $pid or exit 7; waitpid $pid, 0; [200, $text, [$? >> 8]] },
    'latin' => sub { my $word = "caf\xe9"; utf8::upgrade($word); [200, $text, [$word]] },
);
my $app = sub { my $env = shift; my ($name) = $env->{PATH_INFO} =~ m{\A/(.*)}s; $page{$name}->($env) }
APP

my $ok_head = "HTTP/1.1 200 -\r\nContent-Type: text/plain\r\n\r\n";
sub get { return [$server->request(@_)->response] }

subtest 'bodies' => sub {
    is_deeply(get('/array'), [$ok_head, 'onetwo', 1], 'array');
    is_deeply(get('/empty'), ["HTTP/1.1 204 -\r\n\r\n", '', 1], 'no bytes, no headers');
    is_deeply(get('/file'), [$ok_head, 'y' x 100_000, 1], 'file');
    is_deeply(get('/glob'), [$ok_head, 'from a plain handle', 1], 'handle without a class');
    is_deeply(get('/object'), [$ok_head, 'abc', 1], 'object with getline');
    is($server->log_line, 'closed', 'and close');
    is(get('/latin')->[1], "caf\xe9", 'characters up to 255 are bytes, however Perl keeps them');
    my @verbs = $server->request('/large')->obey;
    is_deeply([map { $_->[0] } @verbs], ['head ' . length $ok_head, 'body 1048576', 'body 5', 'end'], 'parts');
    @verbs = $server->request('/file')->obey;
    is_deeply([map { $_->[0] } @verbs[1, 2]], ['body 65536', 'body 34464'], 'a file goes in parts, not in lines');
};

subtest 'streaming' => sub {
    my @verbs = $server->request('/stream')->obey;
    my $expected = [['head ' . length $ok_head, $ok_head], ['body 3', 'one'], ['body 3', 'two'], ['end']];
    is_deeply(\@verbs, $expected, 'writer');
    is_deeply(get('/unclosed'), [$ok_head, 'part', 1], 'a writer that is not closed ends with the app');
    is_deeply(get('/delayed'), [$ok_head, 'later', 1], 'delayed');
};

subtest 'environment' => sub {
    my @names = qw(REQUEST_METHOD SCRIPT_NAME HTTP_X_EMPTY psgi.url_scheme psgi.multithread psgi.multiprocess
        psgi.run_once psgi.nonblocking psgi.streaming);
    my $got = get('/env', QUERY_STRING => "@names", HTTP_X_EMPTY => '')->[1];
    is($got, 'REQUEST_METHOD=GET,SCRIPT_NAME=,HTTP_X_EMPTY=,psgi.url_scheme=http,psgi.multithread=,'
        . 'psgi.multiprocess=1,psgi.run_once=,psgi.nonblocking=,psgi.streaming=1', 'variables');
    is(get('/env', QUERY_STRING => 'psgi.url_scheme', HTTPS => 'on')->[1], 'psgi.url_scheme=https', 'https');
};

subtest 'input' => sub {
    my $body = join '', map { chr($_ % 256) } 1 .. 300_000;
    is(get('/echo', body => $body)->[1], $body, 'all bytes of a long body');
    is(get('/lines', body => "one\ntwo\n")->[1], "two\none\n", 'line by line');
    is(get('/echo')->[1], '', 'no body');
};

# Each is told to the client as 500 without a reason, and to the log as one line with it.
subtest 'failures before the head' => sub {
    my %why = (
        die => 'no such luck', 'die-object' => 'HASH', silent => 'without an answer', 'no-response' => 'no array',
        'no-body' => 'wrong number', 'no-file' => 'was its file opened', 'bad-status' => 'three digits',
        'odd-headers' => 'pairs', 'two-headers' => 'Location has a control character', 'bad-name' => 'wrong name',
        wide => 'encode it first',        exit => 'exit\(3\) was called', 'exit-caught' => 'exit\(0\) was called',
    );
    my $sorry = ["HTTP/1.1 500 -\r\nContent-Type: text/plain\r\n\r\n", "Internal Server Error\n", 1];
    for my $name (sort keys %why) {
        is_deeply(get("/$name"), $sorry, "$name: client");
        like($server->log_line, qr/\Aeyelet-psgi: GET \/$name failed: .*$why{$name}/, "$name: log");
    }
};

subtest 'failures after the head' => sub {
    is_deeply(get('/die-late'), [$ok_head, 'part', ''], 'no end, which tells the server that something is missing');
    is($server->log_line, 'eyelet-psgi: GET /die-late failed: too late', 'log');
    is_deeply(get('/die-body'), [$ok_head, 'part', ''], 'a body that breaks');
    is($server->log_line, 'closed', 'is closed');
    is($server->log_line, 'eyelet-psgi: GET /die-body failed: the disk is broken', 'log');
    is_deeply(get('/wide-write'), [$ok_head, 'part', ''], 'a character that is no byte');
    like($server->log_line, qr/encode it first at \S+app\.pl line/, 'log');
    is_deeply(get('/wide-line'), [$ok_head, '', ''], 'or in a handle');
    is($server->log_line, 'closed', 'which is closed');
    like($server->log_line, qr/encode it first/, 'log');
    is_deeply(get('/after-close'), [$ok_head, '', 1], 'a write after the close');
    like($server->log_line, qr/the request was ended before at .*app\.pl line \d+\.\z/, 'log names the place');
    my $link = $server->request('/twice');
    for my $verb ('head', 'body') { like($link->verb->[0], qr/\A$verb /, $verb); $link->answer('ok') }
    like($link->verb->[0], qr/\Ahead /, 'a second head');
    $link->answer('err bad-state the request was answered already');
    ok(!$link->verb, 'ends the request');
    like($server->log_line, qr/bad-state: the request was answered already/, 'log');
};

subtest 'exit' => sub {
    my @links = map { $server->request('/exit-late') } 1, 2;
    for my $link (@links) {
        is_deeply([$link->response], [$ok_head, '', ''], 'after the head: no end');
        like($server->log_line, qr/failed: .*exit\(1\) was called/, 'log');
    }
    is(get('/spawn')->[1], 7, 'a child of the app exits as ever');
    my ($pid) = get('/harakiri')->[1];
    isnt(get('/harakiri')->[1], $pid, 'who asks for it is replaced, without a word');
};

subtest 'a head that the server refuses' => sub {
    my $link = $server->request('/array');
    $link->verb;
    $link->answer('err bad-request no');
    like($link->verb->[1], qr/\AHTTP\/1\.1 500 /, 'the client is told');
    $link->answer('ok');
    like($server->log_line, qr/failed: bad-request: no\z/, 'log');
};

subtest 'a client that leaves is no fault' => sub {
    for my $page ('/array', '/file', '/object', '/stream') {
        my $link = $server->request($page);
        $link->verb;
        $link->answer('ok');
        $link->verb;
        $link->answer('err gone the client has left');
        ok(!$link->verb, "$page: told so");
        $link = $server->request($page);
        $link->verb;
        $link->answer('ok');
        $link->verb;
        $link->hang_up;
    }
    is($server->log_line, 'closed', 'the object is closed all the same') for 1 .. 2;
};

subtest 'what is no request' => sub {
    my %why = ('x:y' => 'no netstring', '00:' => 'no netstring', '999999:' => 'too many', ':,' => 'none or',
        "4:a\0b\0;" => 'no pairs', "4:a\0bc," => 'no pairs', "2:a\0," => 'no pairs', "4:a\0b\0," => 'CONTENT_LENGTH');
    for my $bytes (sort keys %why) {
        ok(!$server->raw($bytes)->verb, 'it is hung up');
        like($server->log_line, qr/$why{$bytes}/, 'log');
    }
    my $link = $server->raw('10:');
    $link->hang_up;
};

is_deeply([$server->stop], [], 'nothing else was logged');
done_testing;
