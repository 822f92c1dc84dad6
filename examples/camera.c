/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A camera and two viewers of which one is slow. The camera waits for nobody: when the ring is full
 * its oldest frame is dropped, and who had not read it is told how many it has missed. */
#define _POSIX_C_SOURCE 200809L
#include <weir.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 200, MS = 1000000 };

/* What a viewer has seen; in a block that all of them share. */
struct report {
    int seen, missed, broken;
};

static void pause_ns(long ns)
{
    struct timespec const duration = {0, ns};
    nanosleep(&duration, NULL);
}

/* Frames have another size each: a block is as large as what is in it. */
static size_t size_of(int number) { return 10000 + (size_t)(number * 7919) % 90000; }

static int post_frame(struct weir_matrix *m, struct weir_channel *frames, int number)
{
    struct weir_post_options options = WEIR_POST_OPTIONS_INIT;
    weir_ref block;
    void *pixels;
    int r = weir_matrix_alloc(m, size_of(number), NULL, &block, &pixels);
    if (r < 0)
        return r;
    memset(pixels, number & 0xff, size_of(number));
    options.tag = (uint64_t)number;
    r = weir_channel_post(frames, block, size_of(number), &options, WEIR_WAIT_FOREVER);
    if (r < 0)
        weir_matrix_free(m, block);
    return r;
}

static int is_whole(const unsigned char *pixels, const struct weir_message *frame)
{
    int number = (int)frame->tag;
    size_t i = 0;
    while (i < frame->length && pixels[i] == (number & 0xff))
        ++i;
    return i == size_of(number);
}

/* Looks at frames until the last one, which nothing newer can drop. */
static int view(struct weir_channel *frames, struct report *report, long work_ns)
{
    struct weir_subscription *viewer = NULL;
    struct weir_message frame = {0};
    int r = weir_channel_subscribe(frames, &viewer);
    while (r == 0 && frame.tag != FRAMES) {
        void *pixels;
        r = weir_channel_read(viewer, WEIR_WAIT_FOREVER, &frame, &pixels);
        if (r < 0)
            break;
        report->seen += 1;
        report->missed += (int)frame.missed;
        report->broken += !is_whole(pixels, &frame);
        /* Before the slow part: a frame in the hand is never dropped, so its place in the ring
         * would stop the camera one round later. */
        r = weir_channel_ack(viewer, &frame);
        pause_ns(work_ns);
    }
    weir_subscription_close(viewer);
    return r;
}

static int shoot(struct weir_matrix *m, struct weir_channel *frames)
{
    struct weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    int r = 0;
    while (r == 0 && info.subscribers < 2) { /* who subscribes later sees only what comes later */
        pause_ns(MS);
        r = weir_channel_inquire(frames, &info);
    }
    for (int number = 1; r == 0 && number <= FRAMES; ++number) {
        r = post_frame(m, frames, number);
        pause_ns(MS / 4);
    }
    return r;
}

int main(void)
{
    struct weir_matrix *m = NULL;
    struct weir_channel *frames = NULL;
    struct weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
    struct weir_alloc_options zeroed = WEIR_ALLOC_OPTIONS_INIT;
    weir_ref block;
    void *shared = NULL;
    options.mode = WEIR_CHANNEL_BROADCAST;
    options.overflow = WEIR_CHANNEL_DROP_OLDEST;
    options.capacity = 64;
    zeroed.flags = WEIR_ALLOC_ZERO;
    int r = weir_matrix_create(NULL, NULL, &m);
    if (r == 0)
        r = weir_channel_create(m, "frames", &options, &frames);
    if (r == 0)
        r = weir_matrix_alloc(m, 2 * sizeof(struct report), &zeroed, &block, &shared);
    struct report *report = shared;
    if (r == 0 && fork() == 0)
        _exit(view(frames, &report[0], 0) < 0);
    if (r == 0 && fork() == 0)
        _exit(view(frames, &report[1], 10 * MS) < 0);
    if (r == 0)
        r = shoot(m, frames);
    if (r < 0)
        weir_channel_retire(frames); /* nobody waits in vain */
    while (wait(NULL) > 0)
        continue;
    if (r == 0) {
        printf("fast viewer: %d frames seen or missed, %d broken\n",
               report[0].seen + report[0].missed, report[0].broken);
        printf("slow viewer: %d frames seen or missed, %d broken, %s missed\n",
               report[1].seen + report[1].missed, report[1].broken,
               report[1].missed > 0 ? "some" : "none");
    }
    weir_channel_unref(frames);
    weir_matrix_unref(m);
    if (r < 0)
        fprintf(stderr, "camera: %s\n", weir_strerror(r));
    return r < 0;
}
