# Shows area 0 on a page: each frame goes as it is to a WebSocket, and the page makes the picture.
#
#     eyelet --psgi examples/perl/eyetoy.pl
use strict;
use warnings;

use File::Basename qw(dirname);
use IO::File;

my $page = dirname(__FILE__) . '/eyetoy.html';

# The last value of this file is the app. It is called once for each request.
my $app = sub {
    my $env = shift;

    if ($env->{PATH_INFO} eq '/eyetoy') {
        uwsgi::websocket_handshake($env->{HTTP_SEC_WEBSOCKET_KEY}, $env->{HTTP_ORIGIN});
        # Without an end of its own: when the viewer leaves, the call that notices dies, and with it this request.
        while (1) {
            # A frame that is newer than the last one sent here. The 50 is from old days and has no meaning.
            uwsgi::sharedarea_wait(0, 50);
            # All of it, as one message. The next wait does not return before the viewer's connection has taken it.
            uwsgi::websocket_send_binary_from_sharedarea(0, 0);
        }
    }

    return [200, ['Content-Type' => 'text/html; charset=utf-8'], IO::File->new($page)];
};
