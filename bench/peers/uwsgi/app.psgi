# The app of the old experiment, with its wait of 50 ms unless `?ms=` says another, and MJPEG as its text had it.
my $app = sub {
    my $env = shift;
    my ($ms) = ($env->{QUERY_STRING} // '') =~ /ms=(\d+)/;
    $ms ||= 50;
    if ($env->{PATH_INFO} eq '/eyetoy') {
        uwsgi::websocket_handshake($env->{HTTP_SEC_WEBSOCKET_KEY}, $env->{HTTP_ORIGIN});
        while (1) {
            uwsgi::sharedarea_wait(0, $ms);
            uwsgi::websocket_send_binary_from_sharedarea(0, 0);
        }
    }
    return sub {
        my $responder = shift;
        my $type = 'multipart/x-mixed-replace; boundary=uwsgi_mjpeg_frame';
        my $writer = $responder->([200, ['Content-Type' => $type]]);
        $writer->write("--uwsgi_mjpeg_frame\r\n");
        while (1) {
            uwsgi::sharedarea_wait(0, $ms);
            my $chunk = uwsgi::sharedarea_read(0, 0);
            $writer->write("Content-Type: image/jpeg\r\n");
            $writer->write("Content-Length: " . length($chunk) . "\r\n\r\n");
            $writer->write($chunk);
            $writer->write("\r\n--uwsgi_mjpeg_frame\r\n");
        }
    };
};
