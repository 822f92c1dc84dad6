/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A pool of workers that does urgent jobs first, and survives: the parent kills workers with SIGKILL
 * all the time and starts others, and every job is done all the same. */
#define _POSIX_C_SOURCE 200809L
#include <weir.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS = 400, WORKERS = 3, KILLS = 10, URGENT = 1 };

struct pool {
    struct weir_matrix *m;
    struct weir_channel *jobs, *results;
    pid_t worker[WORKERS];
};

static int post_number(struct pool *p, struct weir_channel *to, uint64_t number, unsigned priority)
{
    struct weir_post_options options = WEIR_POST_OPTIONS_INIT;
    weir_ref block;
    void *data;
    int r = weir_matrix_alloc(p->m, sizeof number, NULL, &block, &data);
    if (r < 0)
        return r;
    memcpy(data, &number, sizeof number);
    options.tag = number;
    options.priority = priority;
    r = weir_channel_post(to, block, sizeof number, &options, WEIR_WAIT_FOREVER);
    if (r < 0)
        weir_matrix_free(p->m, block);
    return r;
}

/* The result first, then the acknowledgement: killed in between, the job is done twice, never not
 * at all. */
static int work(struct pool *p)
{
    struct weir_subscription *inbox = NULL;
    struct weir_message job;
    struct timespec const effort = {0, 300000};
    int r = weir_channel_subscribe(p->jobs, &inbox);
    while (r == 0) {
        r = weir_channel_read(inbox, WEIR_WAIT_FOREVER, &job, NULL);
        if (r < 0)
            break;
        nanosleep(&effort, NULL);
        r = post_number(p, p->results, job.tag, 0);
        if (r == 0)
            r = weir_channel_ack(inbox, &job);
    }
    return r;
}

static void start(struct pool *p, int i)
{
    fflush(stdout); /* the child would say it again */
    p->worker[i] = fork();
    if (p->worker[i] == 0)
        _exit(work(p) < 0);
}

static int stop(struct pool *p, int i)
{
    if (p->worker[i] <= 0)
        return 0;
    kill(p->worker[i], SIGKILL);
    waitpid(p->worker[i], NULL, 0);
    return weir_matrix_heal(p->m, NULL); /* what it had in hand, others get at once */
}

/* Reads results until each job has one; kills a worker after every thirtieth new one. */
static int collect(struct pool *p)
{
    struct weir_subscription *inbox = NULL;
    struct weir_message result;
    unsigned char done[JOBS] = {0};
    int count = 0, kills = 0;
    int r = weir_channel_subscribe(p->results, &inbox);
    while (r >= 0 && count < JOBS) {
        r = weir_channel_read(inbox, WEIR_WAIT_FOREVER, &result, NULL);
        if (r == 0 && count == 0)
            printf("the first one done is %s\n", result.tag % 2 == 1 ? "urgent" : "not urgent");
        if (r == 0 && !done[result.tag]) {
            done[result.tag] = 1;
            ++count;
            if (count % 30 == 0 && kills < KILLS) {
                int victim = kills++ % WORKERS;
                r = stop(p, victim);
                start(p, victim);
            }
        }
        if (r >= 0)
            r = weir_channel_ack(inbox, &result);
    }
    printf("%d of %d jobs done, %d workers killed\n", count, JOBS, kills);
    weir_subscription_close(inbox);
    return r;
}

int main(void)
{
    struct pool p = {NULL, NULL, NULL, {0}};
    struct weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
    options.levels = 2;
    int r = weir_matrix_create(NULL, NULL, &p.m);
    if (r == 0)
        r = weir_channel_create(p.m, "jobs", &options, &p.jobs);
    if (r == 0)
        r = weir_channel_create(p.m, "results", NULL, &p.results);
    for (uint64_t number = 0; r == 0 && number < JOBS; ++number)
        r = post_number(&p, p.jobs, number, number % 2 == 1 ? URGENT : 0);
    for (int i = 0; r == 0 && i < WORKERS; ++i)
        start(&p, i);
    if (r == 0)
        r = collect(&p);
    for (int i = 0; i < WORKERS; ++i)
        stop(&p, i);
    weir_channel_unref(p.jobs);
    weir_channel_unref(p.results);
    weir_matrix_unref(p.m);
    if (r < 0)
        fprintf(stderr, "workers: %s\n", weir_strerror(r));
    return r < 0;
}
