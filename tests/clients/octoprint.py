"""OctoPrint's timelapse, by the library that it fetches with: URL COUNT. What it shows is an <img>, as in a browser."""

import sys

import requests
import seen

url, count = sys.argv[1], int(sys.argv[2])
pictures = []
for _ in range(count):
    # A connection each, and the body in small pieces as they come.
    answer = requests.get(url, stream=True, timeout=30)
    answer.raise_for_status()
    assert answer.headers["Content-Type"] == "image/jpeg", answer.headers
    jpeg = b"".join(answer.iter_content(chunk_size=1024))
    assert len(jpeg) == int(answer.headers["Content-Length"]), answer.headers
    pictures.append(seen.of_jpeg(jpeg))
seen.say(pictures)
