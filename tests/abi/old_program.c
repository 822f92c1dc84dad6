/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program as users of weir 0.1 wrote it. It is compiled with the header of each release and run
 * with today's library: what it takes for granted has to stay. Uses nothing that came after 0.1,
 * and is not changed with the library. */
#include <weir.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int broken;

static void claim(int holds, const char *what)
{
    if (!holds)
        printf("broken: %s\n", what);
    broken += !holds;
}

static void blocks(struct weir_matrix *m)
{
    struct weir_alloc_options zero = WEIR_ALLOC_OPTIONS_INIT;
    weir_ref block = WEIR_REF_NONE;
    unsigned char *data = NULL;
    void *memory = NULL;
    size_t size = 0, i, others = 0;
    time_t begin;

    claim(weir_matrix_alloc(m, 5000, NULL, &block, &memory) == 0, "alloc with the defaults");
    claim(weir_block_size(m, block, &size) == 0 && size >= 5000, "a block is as big as asked");
    memset(memory, 0xff, 5000);
    claim(weir_matrix_free(m, block) == 0, "free");
    claim(weir_matrix_free(m, block) == -WEIR_E_STALE, "a second free is -WEIR_E_STALE");

    zero.flags = WEIR_ALLOC_ZERO;
    claim(weir_matrix_alloc(m, 5000, &zero, &block, &memory) == 0, "alloc with WEIR_ALLOC_ZERO");
    data = memory;
    for (i = 0; i < 5000; ++i)
        others += data[i] != 0;
    claim(others == 0, "WEIR_ALLOC_ZERO gives zeros");
    claim(weir_matrix_free(m, block) == 0, "free of zeros");

    begin = time(NULL);
    while (weir_matrix_alloc(m, 65536, NULL, &block, NULL) == 0)
        ;
    claim(weir_matrix_alloc(m, 65536, NULL, &block, NULL) == -ENOMEM, "a full matrix says -ENOMEM");
    claim(time(NULL) - begin < 30, "alloc with the defaults does not wait for memory");
}

static void messages(struct weir_matrix *m)
{
    struct weir_channel *channel = NULL;
    struct weir_subscription *inbox = NULL;
    struct weir_message message;
    weir_ref block = WEIR_REF_NONE;
    size_t i;

    claim(weir_channel_create(m, "old", NULL, &channel) == 0, "a channel with the defaults");
    claim(weir_channel_subscribe(channel, &inbox) == 0, "subscribe");
    for (i = 1; i <= 3; ++i) {
        claim(weir_matrix_alloc(m, 100, NULL, &block, NULL) == 0, "alloc of a message");
        claim(weir_channel_post(channel, block, i, NULL, 0) == 0, "post");
    }
    for (i = 1; i <= 3; ++i) {
        claim(weir_channel_read(inbox, 0, &message, NULL) == 0, "read");
        claim(message.length == i && message.sequence == i - 1 && message.missed == 0 &&
                  message.redeliveries == 0,
              "messages come once and in their order");
        claim(weir_channel_ack(inbox, &message) == 0, "ack");
    }
    claim(weir_channel_read(inbox, 0, &message, NULL) == -EAGAIN, "an empty channel says -EAGAIN");
    claim(weir_subscription_close(inbox) == NULL, "close returns NULL");
    claim(weir_channel_unref(channel) == NULL, "unref returns NULL");
}

static void records(const char *folder)
{
    struct weir_log *log = NULL;
    struct weir_log_reader *reader = NULL;
    const void *data = NULL;
    size_t len = 0;
    uint64_t lsn = 0, found = 0;

    claim(weir_log_open(folder, NULL, &log) == 0, "a log with the defaults");
    claim(weir_log_append(log, "anchor", 6, &lsn) == 0, "append");
    claim(weir_log_wait(log, lsn, WEIR_WAIT_FOREVER) == 0, "wait");
    claim(weir_log_close(log) == NULL, "close of a log returns NULL");
    claim(weir_log_reader_open(folder, 0, 0, &reader) == 0, "a reader from the beginning");
    claim(weir_log_reader_next(reader, &data, &len, &found, NULL) == 1 && len == 6 &&
              memcmp(data, "anchor", 6) == 0 && found == lsn,
          "the record is there with its LSN");
    claim(weir_log_reader_next(reader, &data, &len, &found, NULL) == 0, "there is no other one");
    weir_log_reader_close(reader);
}

int main(int count, char **arguments)
{
    struct weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
    struct weir_matrix *m = NULL;

    options.capacity = 4 << 20;
    if (count != 2 || weir_matrix_create(NULL, &options, &m) != 0) {
        puts("broken: a matrix without a name");
        return 1;
    }
    messages(m);
    blocks(m);
    claim(weir_matrix_unref(m) == NULL, "unref of a matrix returns NULL");
    records(arguments[1]);
    claim(WEIR_E_STALE == 4096 && strcmp(weir_error_name(-WEIR_E_STALE), "WEIR_E_STALE") == 0,
          "codes keep their numbers and names");
    return broken != 0;
}
