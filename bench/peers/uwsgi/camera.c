/* Stands in for the capture plugin of the old experiment: a mule that puts a frame into shared area 0, 30 times a second.
 *
 * It copies under the area's lock. The plugin let the driver write without one; that tears pictures, and is not what is
 * measured here. */
#include <uwsgi.h>
#include "stamp.h"

extern struct uwsgi_server uwsgi;
static struct frame frame;
static struct uwsgi_sharedarea *area;

static int camera_init(void) {
	if (frame_load(&frame)) {
		uwsgi_log("no template: set FRAME_TEMPLATE\n");
		exit(1);
	}
	void *memory = mmap(NULL, frame.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) exit(1);
	area = uwsgi_sharedarea_init_ptr(memory, frame.len);
	return 0;
}

/* Called by name: --mule=camera_loop() */
void camera_loop(void) {
	uint64_t due = frame_now();
	for (uint64_t sequence = 1;; sequence++) {
		due += 1000000000u / 30;
		struct timespec until = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)) {}
		frame_stamp(&frame, sequence, frame_now());
		uwsgi_wlock(area->lock);
		memcpy(area->area, frame.bytes, frame.len);
		area->updates++;
		uwsgi_rwunlock(area->lock);
	}
}

struct uwsgi_plugin camera_plugin = {.name = "camera", .init = camera_init};
