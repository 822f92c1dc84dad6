/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Request and reply over two channels. The server answers in the block of the request and sends
 * that back, so nothing is copied and nothing is allocated; the tag tells what is whose answer. */
#include <weir.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct service {
    struct weir_matrix *m;
    struct weir_channel *requests, *replies;
};

static int serve_one(struct service *s, struct weir_subscription *inbox)
{
    struct weir_post_options options = WEIR_POST_OPTIONS_INIT;
    struct weir_message request;
    void *data;
    int r = weir_channel_read(inbox, WEIR_WAIT_FOREVER, &request, &data);
    if (r < 0)
        return r;
    char *text = data;
    for (uint64_t i = 0; i < request.length; ++i)
        text[i] = (char)toupper((unsigned char)text[i]);
    r = weir_channel_take(inbox, &request); /* from now on the block is ours: we may post it */
    options.tag = request.tag;
    if (r == 0)
        r = weir_channel_post(s->replies, request.block, request.length, &options,
                              WEIR_WAIT_FOREVER);
    return r;
}

/* Until the client retires the channel. */
static int serve(struct service *s)
{
    struct weir_subscription *inbox = NULL;
    int r = weir_channel_subscribe(s->requests, &inbox);
    while (r == 0)
        r = serve_one(s, inbox);
    weir_subscription_close(inbox);
    return r == -WEIR_E_RETIRED ? 0 : r;
}

static int ask(struct service *s, uint64_t id, const char *text)
{
    struct weir_post_options options = WEIR_POST_OPTIONS_INIT;
    weir_ref block;
    void *data;
    int r = weir_matrix_alloc(s->m, strlen(text), NULL, &block, &data);
    if (r < 0)
        return r;
    memcpy(data, text, strlen(text));
    options.tag = id;
    r = weir_channel_post(s->requests, block, strlen(text), &options, WEIR_WAIT_FOREVER);
    if (r < 0)
        weir_matrix_free(s->m, block);
    return r;
}

static int print_reply(struct weir_subscription *inbox)
{
    struct weir_message reply;
    void *data;
    int r = weir_channel_read(inbox, WEIR_WAIT_FOREVER, &reply, &data);
    if (r < 0)
        return r;
    printf("reply to %u: %.*s\n", (unsigned)reply.tag, (int)reply.length, (char *)data);
    return weir_channel_ack(inbox, &reply);
}

/* Asks thrice before it reads the first reply. */
static int use(struct service *s)
{
    static const char *const texts[] = {"cast off", "set sail", "drop anchor"};
    struct weir_subscription *inbox = NULL;
    int r = weir_channel_subscribe(s->replies, &inbox);
    for (uint64_t id = 0; r == 0 && id < 3; ++id)
        r = ask(s, id, texts[id]);
    for (int i = 0; r == 0 && i < 3; ++i)
        r = print_reply(inbox);
    weir_subscription_close(inbox);
    return r;
}

static void close_channels(struct service *s)
{
    s->requests = weir_channel_unref(s->requests);
    s->replies = weir_channel_unref(s->replies);
}

static int serve_in_child(struct service *s)
{
    int r = serve(s);
    close_channels(s);
    weir_matrix_unref(s->m);
    return r;
}

int main(void)
{
    struct service s = {NULL, NULL, NULL};
    struct weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    pid_t server = 0;
    int status = 0;
    int r = weir_matrix_create(NULL, NULL, &s.m);
    if (r == 0)
        r = weir_channel_create(s.m, "requests", NULL, &s.requests);
    if (r == 0)
        r = weir_channel_create(s.m, "replies", NULL, &s.replies);
    if (r == 0 && (server = fork()) == 0)
        _exit(serve_in_child(&s) < 0);
    if (r == 0)
        r = use(&s);
    weir_channel_retire(s.requests); /* the server's read says so, and it ends */
    if (server > 0)
        waitpid(server, &status, 0);
    weir_channel_retire(s.replies);
    close_channels(&s); /* what is retired goes when the last one lets go */
    if (r == 0)
        r = weir_matrix_stats(s.m, &info);
    printf("server ended with %d, %u blocks left\n", status, (unsigned)info.used_blocks);
    weir_matrix_unref(s.m);
    if (r < 0)
        fprintf(stderr, "request_reply: %s\n", weir_strerror(r));
    return r < 0;
}
