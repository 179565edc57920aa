# A moving picture for an <img>: each frame of area 1, which is the camera's JPEG, is one part of an answer without end.
#
#     eyelet --psgi examples/perl/mjpeg.pl
use strict;
use warnings;

my $app = sub {
    # Without a body the responder gives a writer, and the answer lasts as long as this does.
    return sub {
        my $responder = shift;
        my $type = 'multipart/x-mixed-replace; boundary=frame';
        my $writer = $responder->([200, ['Content-Type' => $type, 'Cache-Control' => 'no-store']]);
        $writer->write("--frame\r\n");
        # When the viewer leaves, the call that notices dies, and with it this request.
        while (1) {
            uwsgi::sharedarea_wait(1);
            $writer->write("Content-Type: image/jpeg\r\n\r\n");
            # The picture goes from the server to the viewer; no byte of it enters Perl.
            $writer->write_from_sharedarea(1);
            # The end of this part at once, not before the next one: some browsers show a part only then.
            $writer->write("\r\n--frame\r\n");
        }
    };
};
