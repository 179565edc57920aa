#!/bin/sh
# A doorbell: the camera is on the page while the button is pressed, and the page switches the lamp. Run it with:
#
# eyelet --mule 'gpio=gpio(--in button=17 --active-low --bias pull-up --out lamp=27)' \
#     --script examples/sh/doorbell.sh --processes 4
#
# The area `gpio` has a byte for each line, in that order: 0 the button, 1 the lamp. Verbs: docs/ref/app.md.

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

# True if a line is 1.
is_on() {
    say "read gpio $1 1" && [ "$(head -c 1 | tr '\0\1' 01)" = 1 ]
}

# Answers with a text.
answer() {
    say_with head "HTTP/1.1 $1${newline}Content-Type: $2$newline$newline" && say_with body "$3"
}

LC_ALL=C # so that ${#text} counts bytes
newline='
'
case $REQUEST_METHOD$PATH_INFO in
GET/door)
    # The camera's JPEG, in one endless answer that stands still while nobody rings.
    head="HTTP/1.1 200 OK${newline}Content-Type: multipart/x-mixed-replace; boundary=frame$newline$newline"
    part="--frame${newline}Content-Type: image/jpeg$newline$newline"
    say_with head "$head" || exit
    while
        if is_on 0; then
            say_with body "$part" && say 'wait camera-jpeg 0 0' && say 'send-area camera-jpeg 0 0 2' &&
                say_with body "$newline"
        else
            # Newer than what was read: the kernel wakes this at the edge.
            say 'wait gpio 0 0'
        fi
    do :; done
    ;;
POST/lamp)
    # A line has one bit: adding 1 is the other value.
    if [ "${HTTP_SEC_FETCH_SITE:-same-origin}" != same-origin ]; then
        answer '403 Forbidden' text/plain 'no other page switches this lamp'
    elif say 'inc gpio 1 8 1'; then
        answer '200 OK' text/plain "$rest"
    else
        answer '503 Service Unavailable' text/plain "$rest"
    fi
    ;;
*)
    answer '200 OK' text/html "<!doctype html><title>Door</title><p><img src=/door alt='nobody rings'>
<p><button onclick=\"fetch('/lamp', { method: 'POST' })\">lamp</button>"
    ;;
esac
echo end
