/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Two processes, one block: the child fills it, the parent reads it where it lies. */
#include <weir.h>

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE (10 * INT64_C(1000000000)) /* ns; the other process may be gone */

int main(void)
{
    pid_t child = -1;
    struct weir_matrix *m = NULL;
    struct weir_channel *mail = NULL;
    struct weir_subscription *inbox = NULL;
    struct weir_message message;
    void *data = NULL;
    int r = weir_matrix_create(NULL, NULL, &m); /* no name: a fork child shares it */
    if (r == 0)
        r = weir_channel_create(m, "mail", NULL, &mail);
    if (r == 0)
        child = fork();
    if (r == 0 && child < 0)
        r = -errno;
    if (child == 0) {
        weir_ref block;
        r = weir_matrix_alloc(m, 100, NULL, &block, &data);
        if (r == 0) {
            int length = snprintf(data, 100, "hello from another process");
            r = weir_channel_post(mail, block, (size_t)length, NULL, PATIENCE);
        }
        _exit(r < 0); /* even if it died here, the message would arrive */
    }
    if (r == 0)
        r = weir_channel_subscribe(mail, &inbox);
    if (r == 0)
        r = weir_channel_read(inbox, PATIENCE, &message, &data);
    if (r == 0) {
        printf("%.*s\n", (int)message.length, (char *)data);
        r = weir_channel_ack(inbox, &message); /* frees the block */
    }
    if (r < 0)
        fprintf(stderr, "hello: %s\n", weir_strerror(r));
    wait(NULL);
    inbox = weir_subscription_close(inbox);
    mail = weir_channel_unref(mail);
    m = weir_matrix_unref(m);
    return r < 0;
}
