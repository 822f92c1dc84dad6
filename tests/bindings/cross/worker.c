/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The worker in C. What all workers do is told in cross.py. usage: worker SEGMENT LOG */
#include <weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOLD = 1 };

struct job {
    uint64_t number, slot, lsn, hops;
};

struct account {
    uint64_t number, value;
};

static int must(int r, const char *what)
{
    if (r >= 0)
        return r;
    fprintf(stderr, "%s: %s\n", what, weir_strerror(r));
    exit(1);
}

static uint64_t sum_of_record(struct weir_log_reader *reader, uint64_t lsn)
{
    const void *data = NULL;
    const unsigned char *bytes;
    size_t length = 0, i;
    uint64_t sum = 0;
    must(weir_log_reader_seek(reader, lsn), "seek");
    if (must(weir_log_reader_next(reader, &data, &length, NULL, NULL), "next record") == 0)
        exit(2);
    bytes = data;
    for (i = 0; i < length; i++)
        sum += bytes[i];
    return sum;
}

static void work(struct weir_pool *accounts, const struct job *job, uint64_t sum)
{
    void *data;
    struct account *account;
    must(weir_pool_data(accounts, job->slot, &data), "data of a slot");
    account = data;
    if (account->number != job->number)
        exit(3);
    account->value = account->value * 31 + sum;
}

int main(int argc, char **argv)
{
    struct weir_matrix *matrix;
    struct weir_channel *jobs, *results;
    struct weir_subscription *inbox;
    struct weir_pool *accounts;
    struct weir_log_reader *reader;
    struct weir_message message;
    if (argc != 3)
        return 4;
    must(weir_matrix_attach(argv[1], NULL, &matrix), "attach");
    must(weir_channel_attach(matrix, "jobs", NULL, &jobs), "jobs");
    must(weir_channel_attach(matrix, "results", NULL, &results), "results");
    must(weir_pool_attach(matrix, "accounts", NULL, &accounts), "accounts");
    must(weir_log_reader_open(argv[2], 0, 0, &reader), "log");
    must(weir_channel_subscribe(jobs, &inbox), "subscribe");
    puts("ready");
    fflush(stdout);
    for (;;) {
        weir_slot scratch;
        weir_ref block;
        void *data, *next;
        struct job job;
        int r = weir_channel_read(inbox, WEIR_WAIT_FOREVER, &message, NULL);
        if (r == -WEIR_E_RETIRED)
            break;
        must(r, "read");
        must(weir_matrix_data(matrix, message.block, &data, NULL), "data of a message");
        memcpy(&job, data, sizeof job);
        must(weir_pool_acquire(accounts, 0, &scratch, NULL), "acquire");
        must(weir_matrix_alloc(matrix, sizeof job, NULL, &block, &next), "alloc");
        if (message.tag == HOLD && message.redeliveries == 0) {
            puts("holding");
            fflush(stdout);
            for (;;)
                pause();
        }
        work(accounts, &job, sum_of_record(reader, job.lsn));
        job.hops--;
        memcpy(next, &job, sizeof job);
        must(weir_channel_post(job.hops > 0 ? jobs : results, block, sizeof job, NULL,
                               WEIR_WAIT_FOREVER),
             "post");
        must(weir_channel_ack(inbox, &message), "ack");
        must(weir_pool_release(accounts, scratch), "release");
    }
    weir_subscription_close(inbox);
    weir_log_reader_close(reader);
    weir_pool_unref(accounts);
    weir_channel_unref(results);
    weir_channel_unref(jobs);
    weir_matrix_unref(matrix);
    puts("done");
    return 0;
}
