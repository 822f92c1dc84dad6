/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A matrix without a name, passed by its descriptor: whoever connects to a socket gets it. The
 * other program is this one, started anew, so that it shares nothing else with the first. */
#define _GNU_SOURCE
#include <weir.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_descriptor(int connection, int fd)
{
    char byte = 'm';
    struct iovec data = {&byte, 1};
    union control control;
    struct msghdr message = {0};
    struct cmsghdr *rights;
    memset(&control, 0, sizeof control);
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    return sendmsg(connection, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Returns the descriptor. */
static int receive_descriptor(int connection)
{
    char byte;
    struct iovec data = {&byte, 1};
    union control control;
    struct msghdr message = {0};
    struct cmsghdr *rights;
    int fd = -EBADF;
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) != 1)
        return -errno;
    rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    return fd;
}

/* A socket whose name is in no file system; bound, or connected to the one that is. */
static int open_socket(const char *name, int bound)
{
    struct sockaddr_un address = {0};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path + 1, name, sizeof address.sun_path - 2);
    r = bound ? bind(fd, (struct sockaddr *)&address, length)
              : connect(fd, (struct sockaddr *)&address, length);
    if (r == 0 && bound)
        r = listen(fd, 1);
    return r == 0 ? fd : -errno;
}

/* The other program: gets the matrix and answers in it. */
static int answer(const char *socket_name)
{
    struct weir_matrix *m = NULL;
    struct weir_channel *answers = NULL;
    weir_ref block;
    void *data = NULL;
    int connection = open_socket(socket_name, 0);
    int fd = connection < 0 ? connection : receive_descriptor(connection);
    int r = fd;
    /* Sealed: nobody can cut the file short under our mapping. */
    if (r >= 0 && (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
        r = -EPERM;
    if (r >= 0)
        r = weir_matrix_attach_fd(fd, NULL, &m);
    close(fd); /* the handle has its own */
    if (r == 0)
        r = weir_matrix_lookup(m, "question", &block);
    if (r == 0)
        r = weir_matrix_data(m, block, &data, NULL);
    if (r == 0) {
        printf("asked: %s\n", (char *)data);
        fflush(stdout);
        r = weir_channel_attach(m, "answers", NULL, &answers);
    }
    if (r == 0)
        r = weir_matrix_alloc(m, 100, NULL, &block, &data);
    if (r == 0) {
        strcpy(data, "by its descriptor");
        r = weir_channel_post(answers, block, strlen(data) + 1, NULL, WEIR_WAIT_FOREVER);
    }
    weir_channel_unref(answers);
    weir_matrix_unref(m);
    if (r < 0)
        fprintf(stderr, "passing: the other program: %s\n", weir_strerror(r));
    return r < 0;
}

static int print_answer(struct weir_channel *answers)
{
    struct weir_subscription *inbox = NULL;
    struct weir_message message;
    void *data = NULL;
    int r = weir_channel_subscribe(answers, &inbox);
    if (r == 0)
        r = weir_channel_read(inbox, 10000000000, &message, &data); /* 10 s */
    if (r == 0) {
        printf("answer: %s\n", (char *)data);
        r = weir_channel_ack(inbox, &message);
    }
    weir_subscription_close(inbox);
    return r;
}

int main(int argc, char **argv)
{
    struct weir_matrix *m = NULL;
    struct weir_channel *answers = NULL;
    weir_ref block;
    void *data = NULL;
    char name[40];
    int listener;
    int r;
    if (argc == 2)
        return answer(argv[1]);

    r = weir_matrix_create(NULL, NULL, &m);
    if (r == 0)
        r = weir_channel_create(m, "answers", NULL, &answers);
    if (r == 0)
        r = weir_matrix_alloc(m, 100, NULL, &block, &data);
    if (r == 0) {
        strcpy(data, "how did you get here?");
        r = weir_matrix_bind(m, "question", block);
    }
    snprintf(name, sizeof name, "weir-passing-%d", (int)getpid());
    listener = open_socket(name, 1);
    if (r == 0 && listener < 0)
        r = listener;
    if (r == 0 && fork() == 0) { /* weir's descriptors are closed by the exec */
        execl("/proc/self/exe", argv[0], name, (char *)NULL);
        _exit(127);
    }
    if (r == 0) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        r = connection < 0 ? -errno : send_descriptor(connection, weir_matrix_fd(m));
        close(connection);
    }
    if (r == 0)
        r = print_answer(answers);
    wait(NULL);
    weir_channel_unref(answers);
    weir_matrix_unref(m);
    if (r < 0)
        fprintf(stderr, "passing: %s\n", weir_strerror(r));
    return r < 0;
}
