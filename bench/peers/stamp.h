/* The frames of the bench for servers in C: a template from `eyelet-bench template`, with number and time written over
 * its stamps. What the stamps mean: crates/eyelet/src/stamp.
 *
 * FRAME_TEMPLATE names the file; FRAME_SIZE is WIDTHxHEIGHT of raw YUYV, anything else is JPEG. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct frame {
	uint8_t *bytes;
	size_t len;
	size_t width, height; /* 0 for JPEG */
};

static inline uint64_t frame_now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Returns 0, or -1 if there is no template. */
static inline int frame_load(struct frame *frame) {
	const char *path = getenv("FRAME_TEMPLATE"), *size = getenv("FRAME_SIZE");
	FILE *file = path ? fopen(path, "rb") : NULL;
	if (!file) return -1;
	fseek(file, 0, SEEK_END);
	frame->len = (size_t)ftell(file);
	rewind(file);
	frame->bytes = malloc(frame->len);
	size_t got = frame->bytes ? fread(frame->bytes, 1, frame->len, file) : 0;
	fclose(file);
	frame->width = frame->height = 0;
	if (size) sscanf(size, "%zux%zu", &frame->width, &frame->height);
	return got == frame->len ? 0 : -1;
}

/* 48 bits and their CRC-16/CCITT-FALSE. */
static inline uint64_t frame_word(uint64_t value) {
	uint16_t crc = 0xffff;
	value &= 0xffffffffffffu;
	for (int shift = 40; shift >= 0; shift -= 8) {
		crc ^= (uint16_t)((value >> shift & 0xff) << 8);
		for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return value << 16 | crc;
}

static inline void frame_pixels(uint8_t *row, uint64_t word) {
	for (int at = 0; at < 64; at++) {
		row[2 * at] = word >> (63 - at) & 1 ? 235 : 16;
		row[2 * at + 1] = 128;
	}
}

static inline void frame_comment(uint8_t *segment, uint64_t sequence, uint64_t ns) {
	char text[64];
	snprintf(text, sizeof text, "eyelet %016llx %016llx", (unsigned long long)sequence, (unsigned long long)ns);
	memcpy(segment, "\xff\xfe\0\x2a", 4);
	memcpy(segment + 4, text, 40);
}

/* Writes number and time into the template. */
static inline void frame_stamp(struct frame *frame, uint64_t sequence, uint64_t ns) {
	if (!frame->width) {
		frame_comment(frame->bytes + 2, sequence, ns);
		frame_comment(frame->bytes + frame->len - 46, sequence, ns);
		return;
	}
	for (size_t y = 0; y < frame->height; y += 8) frame_pixels(frame->bytes + y * frame->width * 2, frame_word(sequence));
	if (frame->width >= 128) frame_pixels(frame->bytes + 128, frame_word(ns / 1000));
}
