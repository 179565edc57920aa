/* A V4L2 camera for one program without a kernel driver: preloaded, it answers for the device that FRAME_DEVICE names and
 * leaves all else to the C library. MJPEG by memory mapping, one format, 30 frames a second.
 *
 * Source: Linux Media Userspace API, "Video for Linux API". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "../stamp.h"

#define MOST 32 /* buffers, as in the kernel */
#define NEXT(result, name, ...) ((result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static struct frame frame;
static int device = -1;  /* a timer: readable when a frame is due */
static int memory = -1;  /* where the buffers are */
static uint8_t *mapped;
static size_t stride;
static unsigned queued[MOST], first, last;
static uint64_t sequence;

static int open_device(int flags) {
	if (!frame.bytes && frame_load(&frame)) {
		errno = ENODEV;
		return -1;
	}
	stride = (frame.len + 4095) & ~(size_t)4095;
	return device = timerfd_create(CLOCK_MONOTONIC, flags & O_NONBLOCK ? TFD_NONBLOCK : 0);
}

static int is_device(const char *path) {
	const char *ours = getenv("FRAME_DEVICE");
	return ours && path && !strcmp(ours, path);
}

int open(const char *path, int flags, ...) {
	va_list rest;
	va_start(rest, flags);
	int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
	va_end(rest);
	return is_device(path) ? open_device(flags) : NEXT(int, "open", const char *, int, ...)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
	va_list rest;
	va_start(rest, flags);
	int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
	va_end(rest);
	return is_device(path) ? open_device(flags) : NEXT(int, "open64", const char *, int, ...)(path, flags, mode);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset) {
	if (fd >= 0 && fd == device) fd = memory;
	return NEXT(void *, "mmap", void *, size_t, int, int, int, off_t)(at, len, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t len, int protection, int flags, int fd, off_t offset) {
	return mmap(at, len, protection, flags, fd, offset);
}

static int run(long nanoseconds) {
	struct itimerspec times = {{0, nanoseconds}, {0, nanoseconds}};
	return timerfd_settime(device, 0, &times, NULL);
}

static int set_format(struct v4l2_format *format) {
	format->fmt.pix = (struct v4l2_pix_format){.width = 640, .height = 480, .pixelformat = V4L2_PIX_FMT_MJPEG,
		.field = V4L2_FIELD_NONE, .sizeimage = (unsigned)frame.len, .colorspace = V4L2_COLORSPACE_JPEG};
	return 0;
}

static int request(struct v4l2_requestbuffers *wanted) {
	if (wanted->count > MOST) wanted->count = MOST;
	first = last = 0;
	if (!wanted->count) return 0;
	if (memory < 0) memory = memfd_create("frames", MFD_CLOEXEC);
	size_t len = wanted->count * stride;
	if (memory < 0 || ftruncate(memory, (off_t)len)) return -1;
	mapped = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	return mapped == MAP_FAILED ? -1 : 0;
}

static int dequeue(struct v4l2_buffer *buffer) {
	uint64_t due;
	if (read(device, &due, sizeof due) != sizeof due || first == last) {
		errno = EAGAIN;
		return -1;
	}
	unsigned index = queued[first++ % MOST];
	uint64_t now = frame_now();
	sequence += due;
	frame_stamp(&frame, sequence, now);
	memcpy(mapped + index * stride, frame.bytes, frame.len);
	buffer->index = index;
	buffer->bytesused = (unsigned)frame.len;
	buffer->length = (unsigned)stride;
	buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	buffer->sequence = (unsigned)sequence;
	buffer->timestamp.tv_sec = (time_t)(now / 1000000000u);
	buffer->timestamp.tv_usec = (suseconds_t)(now / 1000 % 1000000u);
	return 0;
}

static int answer(unsigned request_code, void *argument) {
	struct v4l2_buffer *buffer = argument;
	switch (request_code) {
	case VIDIOC_QUERYCAP: {
		struct v4l2_capability *about = argument;
		unsigned can = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		*about = (struct v4l2_capability){.driver = "bench", .card = "bench", .bus_info = "bench",
			.capabilities = can | V4L2_CAP_DEVICE_CAPS, .device_caps = can};
		return 0;
	}
	case VIDIOC_G_INPUT: case VIDIOC_S_INPUT: return 0;
	case VIDIOC_G_FMT: case VIDIOC_S_FMT: case VIDIOC_TRY_FMT: return set_format(argument);
	case VIDIOC_G_PARM: case VIDIOC_S_PARM: {
		struct v4l2_captureparm *rate = &((struct v4l2_streamparm *)argument)->parm.capture;
		rate->capability = V4L2_CAP_TIMEPERFRAME;
		rate->timeperframe = (struct v4l2_fract){1, 30};
		return 0;
	}
	case VIDIOC_REQBUFS: return request(argument);
	case VIDIOC_QUERYBUF:
		buffer->length = (unsigned)stride;
		buffer->m.offset = (unsigned)(buffer->index * stride);
		return 0;
	case VIDIOC_QBUF: queued[last++ % MOST] = buffer->index; return 0;
	case VIDIOC_DQBUF: return dequeue(buffer);
	case VIDIOC_STREAMON: return run(1000000000 / 30);
	case VIDIOC_STREAMOFF: return run(0);
	}
	errno = EINVAL;
	return -1;
}

int ioctl(int fd, unsigned long request_code, ...) {
	va_list rest;
	va_start(rest, request_code);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	if (fd >= 0 && fd == device) return answer((unsigned)request_code, argument);
	return NEXT(int, "ioctl", int, unsigned long, ...)(fd, request_code, argument);
}
