// SPDX-License-Identifier: MIT OR Apache-2.0
// What log_calls.py traces: durable appends by one thread, between two calls that nobody else makes.
//   log_calls FOLDER BACKEND COUNT     prints how often memory was allocated in between
#define _DEFAULT_SOURCE // usleep, syscall
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weir.h>

static atomic_ulong allocations;

extern void *__libc_malloc(size_t size);
// In place of the C library's: it counts. relaxed: a number, read where nobody allocates.
void *malloc(size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_malloc(size);
}

int main(int count, char **words)
{
    if (count != 4)
        return 2;
    struct weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.backend =
        strcmp(words[2], "io_uring") == 0 ? WEIR_LOG_BACKEND_IO_URING : WEIR_LOG_BACKEND_PWRITEV2;
    // A slow disk lets nobody else write between two appends: no note, no batch of the log's thread.
    options.idle_evidence_ns = INT64_C(60000000000);
    options.idle_flush_ns = -1;
    struct weir_log *log = NULL;
    int const opened = weir_log_open(words[1], &options, &log);
    if (opened < 0) {
        printf("open %d\n", opened);
        return 0;
    }
    usleep(300000); // the segments ahead are made
    char const text[1000] = "a record";
    unsigned long before = 0;
    int const number = atoi(words[3]);
    for (int i = -10; i < number; ++i) { // the first ones open what is opened once
        if (i == 0) {
            before = atomic_load(&allocations);
            syscall(SYS_getppid);
        }
        uint64_t lsn = 0;
        if (weir_log_append(log, text, sizeof text, &lsn) < 0 || weir_log_wait(log, lsn, -1) < 0)
            return 1;
    }
    syscall(SYS_getppid);
    printf("allocations %lu\n", atomic_load(&allocations) - before);
    weir_log_close(log);
    return 0;
}
