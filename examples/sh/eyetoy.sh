#!/bin/sh
# A page with a camera, in shell. Run it with:  eyelet --script examples/sh/eyetoy.sh --processes 10
#
# It is run once for each request: the request's variables are in the environment, as a CGI program finds them. What it
# writes are verbs, what it reads are their answers: docs/ref/app.md has them all.

# Says a verb; true if the answer is `ok`.
say() {
    echo "$1"
    read -r answer rest && [ "$answer" = ok ]
}

# Says a verb that has a payload.
say_with() {
    printf '%s %s\n%s' "$1" "${#2}" "$2"
    read -r answer rest && [ "$answer" = ok ]
}

LC_ALL=C # so that ${#text} counts bytes
newline='
'
case $PATH_INFO in
/stream)
    # Each frame of area 0 as a WebSocket message, until the browser leaves.
    say handshake || exit
    while say 'wait 0 0 0' && say 'send-area 0 0 0 2'; do :; done
    ;;
/pictures)
    # The JPEG of the camera as one endless answer, which <img src="/pictures"> shows.
    head="HTTP/1.1 200 OK${newline}Content-Type: multipart/x-mixed-replace; boundary=frame$newline$newline"
    say_with head "$head" || exit
    part="--frame${newline}Content-Type: image/jpeg$newline$newline"
    while say_with body "$part" && say 'wait camera-jpeg 0 0' && say 'send-area camera-jpeg 0 0 2' &&
        say_with body "$newline"; do :; done
    ;;
*)
    # How many have seen this page stands in an area of application data: --area visits=8
    visits=
    say 'inc visits 0 64 1' && visits="<p>visit $rest"
    head="HTTP/1.1 200 OK${newline}Content-Type: text/html$newline$newline"
    page="<!doctype html><title>Eyelet</title><h1>In shell</h1><img src=/pictures alt=camera>$visits"
    say_with head "$head" && say_with body "$page"
    ;;
esac
echo end
