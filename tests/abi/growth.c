/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Passes every options and info struct at every size to every function that takes it. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include "options_gen.c"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGEST = 4096, ROOM = 2 * LARGEST };

/* Aligned like any struct of the API. */
static union {
    size_t size;
    uint64_t align;
    unsigned char bytes[ROOM];
} data;

static struct weir_matrix *matrix;
static struct weir_channel *channel;
static struct weir_log *wlog;
static char folder[] = "/tmp/weir-growth-XXXXXX";
static int failures;

static void tell(int good, const struct options_case *one, const char *what, int code)
{
    failures += !good;
    printf("%s: %s of %s: %s", good ? "ok" : "not ok", one->function, one->structure, what);
    if (!good)
        printf(", but it returned %d", code);
    puts("");
}

/* The struct's INIT value with another size; what is behind it is `tail`. */
static int call(const struct options_case *one, void *object, size_t size, int tail)
{
    memset(&data, tail, sizeof data);
    one->init(&data);
    data.size = size;
    return one->call(object, &data);
}

static void *object_of(const struct options_case *one)
{
    if (one->object == NULL)
        return &data; /* ignored */
    if (strcmp(one->object, "weir_matrix") == 0)
        return matrix;
    if (strcmp(one->object, "weir_channel") == 0)
        return channel;
    if (strcmp(one->object, "weir_log") == 0)
        return wlog;
    return NULL;
}

/* The first byte behind a released size that is not 0, or 0. */
static size_t first_dirt(size_t begin, size_t end)
{
    for (; begin < end; ++begin)
        if (data.bytes[begin] != 0)
            return begin;
    return 0;
}

static void refuse(const struct options_case *one, void *object)
{
    int code = call(one, object, 0, 0);

    tell(code == -EINVAL, one, "size 0 is refused", code);
    code = call(one, object, one->released[0] - 1, 0);
    tell(code == -EINVAL, one, "a size below the first release is refused", code);
    code = call(one, object, LARGEST + 1, 0);
    tell(code == -EINVAL, one, "a size above 4096 is refused", code);
}

static void grow_options(const struct options_case *one, void *object)
{
    size_t i;
    int code;

    for (i = 0; i < one->released_count; ++i) {
        code = call(one, object, one->released[i], 0xff);
        tell(code != -E2BIG, one, "a released size is taken", code);
    }
    code = call(one, object, one->size + 1, 0);
    tell(code != -E2BIG, one, "an unknown tail of one 0 is taken", code);
    code = call(one, object, LARGEST, 0);
    tell(code != -E2BIG, one, "an unknown tail of zeros is taken", code);
    code = call(one, object, one->size + 1, 1);
    tell(code == -E2BIG, one, "an unknown tail of one byte is refused", code);
    code = call(one, object, LARGEST, 1);
    tell(code == -E2BIG, one, "an unknown tail is refused", code);
}

static void grow_info(const struct options_case *one, void *object)
{
    size_t i;
    int code;

    for (i = 0; i < one->released_count; ++i) {
        code = call(one, object, one->released[i], 0xff);
        tell(code >= 0 && data.size == one->released[i] && data.bytes[one->size] == 0xff, one,
             "a released size is filled and nothing behind it", code);
    }
    code = call(one, object, LARGEST, 0xff);
    tell(code >= 0 && data.size == LARGEST && first_dirt(one->size, LARGEST) == 0, one,
         "an unknown tail is zeroed, size stays", code);
    tell(data.bytes[LARGEST] == 0xff, one, "nothing is written behind 4096", code);
}

static void remove_folder(void)
{
    char command[64];

    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", folder);
}

static int open_objects(void)
{
    int code = weir_matrix_create(NULL, NULL, &matrix);

    if (code >= 0)
        code = weir_channel_create(matrix, "growth", NULL, &channel);
    if (code >= 0 && mkdtemp(folder) == NULL)
        code = -errno;
    if (code >= 0)
        code = weir_log_open(folder, NULL, &wlog);
    if (code < 0)
        fprintf(stderr, "objects: %s\n", weir_strerror(code));
    return code;
}

int main(void)
{
    size_t i;

    if (open_objects() < 0)
        return EXIT_FAILURE;
    for (i = 0; i < options_count; ++i) {
        const struct options_case *one = &options_cases[i];
        void *object = object_of(one);

        if (one->call == NULL || object == NULL) {
            printf("skip: %s of %s\n", one->function, one->structure);
            continue;
        }
        /* an info is filled if what it is about is there */
        options_text = strcmp(one->kind, "info") == 0 ? folder : "";
        if (strcmp(one->function, "weir_log_repair") == 0)
            wlog = weir_log_close(wlog); /* or it is held */
        refuse(one, object);
        if (strcmp(one->kind, "info") == 0)
            grow_info(one, object);
        else
            grow_options(one, object);
    }
    (void)weir_log_close(wlog);
    remove_folder();
    (void)weir_channel_unref(channel);
    (void)weir_matrix_unref(matrix);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
