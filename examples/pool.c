/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A pool of requests in a matrix: one process takes a slot and fills it, another one answers in
 * place and gives it back. One that is killed with a slot in its hand costs nothing. */
#include <weir.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct request {
    int number;
    int answer;
};

#define PATIENCE (10 * INT64_C(1000000000)) /* ns */

/* Runs `work` in a child and returns how it ended. */
static int in_child(struct weir_pool *pool, weir_slot slot,
                    int (*work)(struct weir_pool *, weir_slot))
{
    int status = -1;
    fflush(stdout); /* the child would say it again */
    pid_t child = fork();
    if (child == 0)
        _exit(work(pool, slot) < 0);
    if (child > 0)
        waitpid(child, &status, 0);
    return status;
}

static int answer(struct weir_pool *pool, weir_slot slot)
{
    void *data;
    int r = weir_pool_data(pool, slot, &data);
    if (r == 0) {
        struct request *request = data;
        request->answer = request->number * request->number;
    }
    return r;
}

static int die_with_all(struct weir_pool *pool, weir_slot slot)
{
    weir_slot taken[4];
    int r = weir_pool_acquire_many(pool, 4, 0, taken, NULL);
    (void)slot;
    printf("a child takes %d slots and is killed\n", r);
    fflush(stdout);
    return r < 0 ? r : raise(SIGKILL);
}

static int use(struct weir_pool *pool)
{
    void *data;
    weir_slot slot;
    int r = weir_pool_acquire(pool, 0, &slot, &data);
    if (r < 0)
        return r;
    struct request *request = data;
    request->number = 7;
    if (in_child(pool, slot, answer) != 0)
        return -EIO;
    printf("%d squared is %d\n", request->number, request->answer);
    r = weir_pool_release(pool, slot);
    if (r == 0)
        printf("released again: %s\n", weir_error_name(weir_pool_release(pool, slot)));

    if (r == 0)
        in_child(pool, 0, die_with_all);
    weir_slot all[4];
    if (r == 0)
        r = weir_pool_acquire_many(pool, 4, PATIENCE, all, NULL);
    if (r >= 0)
        printf("all %d slots are there\n", r);
    return r;
}

int main(void)
{
    struct weir_matrix *m = NULL;
    struct weir_pool *pool = NULL;
    struct weir_pool_options options = WEIR_POOL_OPTIONS_INIT;
    options.slot_size = sizeof(struct request);
    options.capacity = 4;
    int r = weir_matrix_create(NULL, NULL, &m); /* no name: fork children share it */
    if (r == 0)
        r = weir_pool_create_in(m, "requests", &options, &pool);
    if (r == 0)
        r = use(pool);
    if (r < 0)
        fprintf(stderr, "pool: %s\n", weir_strerror(r));
    pool = weir_pool_unref(pool);
    m = weir_matrix_unref(m);
    return r < 0;
}
