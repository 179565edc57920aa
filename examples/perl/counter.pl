# A number that all who have the page open see and change, whichever process serves them. It is the first 8 bytes of an
# application area called `count`.
use strict;
use warnings;

my $page = <<'HTML';
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Counter</title>
<p><output id="count">…</output> <button value="1">more</button> <button value="-1">less</button></p>
<script>
  const open = path => new WebSocket(location.origin.replace('http', 'ws') + path);
  open('/see').onmessage = ({ data }) => { document.getElementById('count').textContent = data; };
  const change = open('/change');
  for (const button of document.querySelectorAll('button')) button.onclick = () => change.send(button.value);
</script>
</html>
HTML

# Sends the number, and again whenever it has changed.
sub see {
    uwsgi::websocket_handshake();
    while (1) {
        uwsgi::websocket_send(uwsgi::sharedarea_read64('count', 0));
        # Newer than what was read: a change between the two calls is not missed.
        uwsgi::sharedarea_wait('count');
    }
}

# Takes messages that say by how much to change it.
sub change {
    uwsgi::websocket_handshake();
    while (1) {
        my $amount = uwsgi::websocket_recv();
        # It comes from a stranger. 1007 is the code for what makes no sense.
        return uwsgi::websocket_close(1007, 'say 1 or -1') if $amount !~ /\A-?1\z/;
        # One step: two who do this at the same time count twice.
        uwsgi::sharedarea_inc64('count', 0, $amount);
    }
}

my $app = sub {
    my $env = shift;
    return see() if $env->{PATH_INFO} eq '/see';
    return change() if $env->{PATH_INFO} eq '/change';
    return [200, ['Content-Type' => 'text/html; charset=utf-8'], [$page]];
};
