# From SCGI to PSGI.
package Eyelet::PSGI::Request;
use 5.010;
use strict;
use warnings;

# Reads a request and gives its environment. `$mode` has what depends on how requests are served.
sub receive {
    my ($link, $mode) = @_;
    my ($len, $byte) = ('');
    while (($byte = $link->take(1)) ne ':') {
        ($len .= $byte) =~ /\A[1-9][0-9]{0,5}\z/ or die "the request is no netstring\n";
    }
    $len && $len <= 128 << 10 or die "the request's variables are none or too many\n";
    # With -1 an empty last value is kept, and so the pairs.
    my @words = split /\0/, $link->take($len), -1;
    pop @words eq '' && @words % 2 == 0 && $link->take(1) eq ',' or die "the request's variables are no pairs\n";
    my %vars = @words;
    ($vars{CONTENT_LENGTH} // '') =~ /\A[0-9]{1,9}\z/ or die "the request has a wrong CONTENT_LENGTH\n";
    # All of it, before the app runs. The server has read it too and has seen to it that it is not too long.
    my $body = $link->take($vars{CONTENT_LENGTH});
    open my $input, '<', \$body or die "the body cannot be read: $!\n";
    my ($false, $true) = (!!0, !!1);
    return {
        SCRIPT_NAME => '', PATH_INFO => '', QUERY_STRING => '', %vars,
        'psgi.version' => [1, 1], 'psgi.streaming' => $true, 'psgi.run_once' => $false,
        'psgi.multithread' => $false, 'psgi.multiprocess' => $true, 'psgi.nonblocking' => $false,
        'psgi.url_scheme' => ($vars{HTTPS} // '') =~ /\A(?:on|1)\z/i ? 'https' : 'http',
        'psgi.errors' => \*STDERR, 'psgi.input' => $input, 'psgix.input.buffered' => $true,
        'psgix.harakiri' => $true, %$mode,
    };
}

1;
