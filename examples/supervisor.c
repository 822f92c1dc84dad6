/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a death leaves behind: a worker dies with a message in its hand; another one gets it. */
#include <weir.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int post_job(struct weir_matrix *m, struct weir_channel *jobs, const char *text)
{
    weir_ref block;
    void *data;
    int r = weir_matrix_alloc(m, strlen(text) + 1, NULL, &block, &data);
    if (r < 0)
        return r;
    strcpy(data, text);
    r = weir_channel_post(jobs, block, strlen(text) + 1, NULL, WEIR_WAIT_FOREVER);
    if (r < 0)
        weir_matrix_free(m, block); /* a post that fails leaves the block with the caller */
    return r;
}

/* Takes one job; a worker that is to die does so with the job in its hand. */
static int work(struct weir_channel *jobs, int die)
{
    struct weir_subscription *inbox = NULL;
    struct weir_message job;
    void *data;
    int r = weir_channel_subscribe(jobs, &inbox);
    if (r == 0)
        r = weir_channel_read(inbox, WEIR_WAIT_FOREVER, &job, &data);
    if (r == 0 && die)
        raise(SIGKILL);
    if (r == 0) {
        printf("%s, redelivered %u time%s\n", (char *)data, (unsigned)job.redeliveries,
               job.redeliveries == 1 ? "" : "s");
        r = weir_channel_ack(inbox, &job);
    }
    weir_subscription_close(inbox);
    return r;
}

int main(void)
{
    struct weir_matrix *m = NULL;
    struct weir_channel *jobs = NULL;
    struct weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    int r = weir_matrix_create(NULL, NULL, &m);
    if (r == 0)
        r = weir_channel_create(m, "jobs", NULL, &jobs);
    if (r == 0)
        r = post_job(m, jobs, "weigh the anchor");
    if (r == 0 && fork() == 0)
        _exit(work(jobs, 1) < 0);
    wait(NULL);
    if (r == 0)
        r = weir_matrix_heal(m, NULL); /* waiting readers do this by themselves, a little later */
    printf("healed %d dead process\n", r);
    if (r >= 0)
        r = work(jobs, 0);
    if (r == 0)
        r = weir_channel_retire(jobs);
    jobs = weir_channel_unref(jobs);
    if (r == 0)
        r = weir_matrix_stats(m, &info);
    printf("%u blocks left\n", (unsigned)info.used_blocks);
    m = weir_matrix_unref(m);
    if (r < 0)
        fprintf(stderr, "supervisor: %s\n", weir_strerror(r));
    return r < 0;
}
