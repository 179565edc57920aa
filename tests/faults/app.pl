# The app of the faults: the old loop, and a page that counts its visits in an area of application data.
use strict;
use warnings;

sub {
    my $env = shift;
    if ($env->{PATH_INFO} eq '/stream') {
        uwsgi::websocket_handshake($env->{HTTP_SEC_WEBSOCKET_KEY}, $env->{HTTP_ORIGIN}, '');
        while (1) {
            uwsgi::sharedarea_wait(0, 10);
            uwsgi::websocket_send_binary_from_sharedarea(0, 0);
        }
    }
    return [200, ['Content-Type' => 'text/plain'], ["the page\n"]];
};
