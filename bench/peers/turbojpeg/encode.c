/* YUYV to JPEG with libjpeg-turbo, 4:2:2 as it comes. For each byte that is read it encodes the frame so many times, and
 * says how many nanoseconds that took and how many bytes the picture has.
 *
 * Usage: encode FILE WIDTH HEIGHT full|limited QUALITY TIMES; the width is even.
 * Source: turbojpeg.h, "Compress a set of separate Y, U (Cb), and V (Cr) image planes". */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <turbojpeg.h>

static void take_apart(const uint8_t *restrict from, uint8_t *restrict luma, uint8_t *restrict blue, uint8_t *restrict red,
		size_t pairs) {
	for (size_t i = 0; i < pairs; i++) {
		luma[2 * i] = from[4 * i];
		blue[i] = from[4 * i + 1];
		luma[2 * i + 1] = from[4 * i + 2];
		red[i] = from[4 * i + 3];
	}
}

/* From a limited range to the full one. Nothing wider than 16 bits, and no choice but of the larger and the smaller, so that
 * the compiler makes vector instructions of it: four times as fast as the obvious loop. */
static void expand(uint8_t *plane, size_t len, uint16_t factor, uint16_t black) {
	for (size_t i = 0; i < len; i++) {
		uint16_t scaled = plane[i] * factor;
		uint16_t bounded = scaled > black ? scaled : black;
		bounded = (uint16_t)(bounded - black);
		int16_t code = (int16_t)(bounded >> 7);
		plane[i] = code < 255 ? code : 255;
	}
}

static long long now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fail(const char *what) {
	fprintf(stderr, "%s\n", what);
	exit(1);
}

int main(int argc, char **argv) {
	if (argc != 7)
		fail("usage: encode FILE WIDTH HEIGHT full|limited QUALITY TIMES");
	int width = atoi(argv[2]), height = atoi(argv[3]), quality = atoi(argv[5]), times = atoi(argv[6]);
	int is_limited = !strcmp(argv[4], "limited");
	size_t pairs = (size_t)width / 2 * height;
	uint8_t *frame = malloc(4 * pairs), *luma = malloc(2 * pairs), *blue = malloc(pairs), *red = malloc(pairs);
	FILE *file = fopen(argv[1], "rb");
	if (!frame || !luma || !blue || !red || !file || fread(frame, 4 * pairs, 1, file) != 1)
		fail("no frame");
	tjhandle handle = tjInitCompress();
	const unsigned char *planes[] = {luma, blue, red};
	unsigned char *picture = NULL;
	unsigned long len = 0;
	while (getchar() != EOF) {
		long long begin = now();
		for (int i = 0; i < times; i++) {
			size_t row = width / 2;
			/* Row by row, while it is in the nearest memory. */
			for (size_t at = 0; at < pairs; at += row) {
				take_apart(frame + 4 * at, luma + 2 * at, blue + at, red + at, row);
				if (is_limited) {
					expand(luma + 2 * at, 2 * row, 149, 2320);
					expand(blue + at, row, 146, 2240);
					expand(red + at, row, 146, 2240);
				}
			}
			/* The exact transform, which libjpeg and newer releases take unasked: so the pictures can be compared. */
			if (tjCompressFromYUVPlanes(handle, planes, width, NULL, height, TJSAMP_422, &picture, &len, quality,
					TJFLAG_ACCURATEDCT))
				fail(tjGetErrorStr2(handle));
		}
		printf("%lld %lu\n", now() - begin, len);
		fflush(stdout);
	}
	return 0;
}
