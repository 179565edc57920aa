"""Home Assistant's MJPEG camera, by the library that it reads with: URL STILL COUNT; says two still images and COUNT parts.

A still image is that of its own address or, where none is set, what is between the first start and the first end marker
of the raw stream, whatever the parts say. The stream it passes on as it came; the library's own reader takes parts by
their boundary and length.
"""

import asyncio
import sys

import aiohttp
import seen


async def still_image(session, url):
    async with session.get(url) as answer:
        return await answer.read()


async def cut_out(session, url):
    data = b""
    async with session.get(url) as answer:
        async for piece in answer.content.iter_chunked(102400):
            data += piece
            end, start = data.find(b"\xff\xd9"), data.find(b"\xff\xd8")
            if end != -1 and start != -1:
                return data[start : end + 2]
    raise AssertionError(f"no picture in {len(data)} bytes")


async def parts(session, url, count):
    pictures = []
    async with session.get(url) as answer:
        reader = aiohttp.MultipartReader.from_response(answer)
        while len(pictures) < count:
            part = await reader.next()
            assert part is not None, f"it ended after {len(pictures)} parts"
            assert part.headers["Content-Type"] == "image/jpeg", part.headers
            jpeg = await part.read()
            assert len(jpeg) == int(part.headers["Content-Length"]), part.headers
            pictures.append(bytes(jpeg))
        answer.close()
    return pictures


async def main(url, still, count):
    async with aiohttp.ClientSession() as session:
        stills = [await still_image(session, still), await cut_out(session, url)]
        pictures = await parts(session, url, count)
    seen.say([seen.of_jpeg(jpeg) for jpeg in [*stills, *pictures]])


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
