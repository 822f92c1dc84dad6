/* SPDX-License-Identifier: MIT OR Apache-2.0
 * One side of the message rate in C, batch by batch: what Python and Go are held against.
 * usage: rates post|read MATRIX CHANNEL MESSAGES BATCH copies|blocks
 * Message i is 64 bytes of value i % 251; who reads looks at each byte and prints messages per second.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir.h>

enum { SIZE = 64, PERIOD = 251, MOST = 4096 };

static unsigned char pattern[(PERIOD + MOST) * SIZE];

static void must(int result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "rates: %s: %s\n", what, weir_strerror(result));
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned char *from(size_t i) { return pattern + i % PERIOD * SIZE; }

static size_t post_blocks(struct weir_matrix *matrix, struct weir_channel *channel, size_t at,
                          size_t batch)
{
    static weir_ref blocks[MOST];
    static void *data[MOST];
    static uint64_t lengths[MOST];
    size_t done = 0, made;
    int result = weir_matrix_alloc_many(matrix, SIZE, batch, NULL, blocks, data);
    must(result, "alloc_many");
    made = (size_t)result;
    for (size_t i = 0; i < made; ++i) {
        memcpy(data[i], from(at + i), SIZE);
        lengths[i] = SIZE;
    }
    while (done < made) {
        result = weir_channel_post_many(channel, blocks + done, lengths, NULL, made - done, NULL,
                                        WEIR_WAIT_FOREVER);
        must(result, "post_many");
        done += (size_t)result;
    }
    return made;
}

static void post(struct weir_matrix *matrix, struct weir_channel *channel, size_t messages,
                 size_t batch, int copies)
{
    for (size_t at = 0; at < messages;) {
        size_t const now = messages - at < batch ? messages - at : batch;
        if (copies) {
            int const done = weir_channel_post_copies(channel, from(at), SIZE, NULL, NULL, now,
                                                      NULL, WEIR_WAIT_FOREVER);
            must(done, "post_copies");
            at += (size_t)done;
        } else {
            at += post_blocks(matrix, channel, at, now);
        }
    }
}

static void expect(const void *found, size_t at, size_t count)
{
    if (memcmp(found, from(at), count * SIZE) == 0)
        return;
    fprintf(stderr, "rates: message %zu is wrong\n", at);
    exit(1);
}

static size_t read_batch(struct weir_subscription *inbox, size_t at, size_t batch, int copies)
{
    static struct weir_message messages[MOST];
    static void *data[MOST];
    static unsigned char bytes[MOST * SIZE];
    size_t count;
    int result =
        copies ? weir_channel_read_copies(inbox, SIZE, batch, WEIR_WAIT_FOREVER, messages, bytes)
               : weir_channel_read_many(inbox, batch, WEIR_WAIT_FOREVER, messages, data);
    must(result, "read");
    count = (size_t)result;
    if (copies)
        expect(bytes, at, count);
    for (size_t i = 0; !copies && i < count; ++i)
        expect(data[i], at + i, 1);
    must(weir_channel_ack_many(inbox, messages, count), "ack_many");
    return count;
}

static void read_all(struct weir_channel *channel, size_t messages, size_t batch, int copies)
{
    struct weir_subscription *inbox = NULL;
    size_t first, at;
    double began;
    must(weir_channel_subscribe(channel, &inbox), "subscribe");
    first = at = read_batch(inbox, 0, batch, copies);
    began = seconds();
    while (at < messages)
        at += read_batch(inbox, at, batch, copies);
    printf("%.0f\n", (double)(at - first) / (seconds() - began));
    weir_subscription_close(inbox);
}

int main(int argc, char **argv)
{
    struct weir_matrix *matrix = NULL;
    struct weir_channel *channel = NULL;
    size_t messages, batch;
    if (argc != 7) {
        fputs("usage: rates post|read MATRIX CHANNEL MESSAGES BATCH copies|blocks\n", stderr);
        return 2;
    }
    messages = strtoull(argv[4], NULL, 10);
    batch = strtoull(argv[5], NULL, 10);
    batch = batch == 0 ? 1 : batch > MOST ? MOST : batch;
    for (size_t i = 0; i < PERIOD + MOST; ++i)
        memset(pattern + i * SIZE, (int)(i % PERIOD), SIZE);
    must(weir_matrix_attach(argv[2], NULL, &matrix), argv[2]);
    must(weir_channel_attach(matrix, argv[3], NULL, &channel), argv[3]);
    (strcmp(argv[1], "post") == 0 ? post : read_all)(matrix, channel, messages, batch,
                                                     strcmp(argv[6], "copies") == 0);
    weir_channel_unref(channel);
    weir_matrix_unref(matrix);
    return 0;
}
