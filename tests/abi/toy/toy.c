/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "toy.h"

#include <stddef.h>

struct toy {
    int count;
};

static struct toy only;

struct toy *toy_open(const struct toy_options *options)
{
    only.count = options != NULL && options->wait_ns > 0;
    return &only;
}

int toy_count(struct toy *toy)
{
    return toy->count;
}
