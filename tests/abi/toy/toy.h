/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A library as small as can be, in the manner of weir.h: sized options and an opaque handle. */
#ifndef TOY_H
#define TOY_H

struct toy_options {
    unsigned long size;
    long wait_ns;
};

struct toy;

struct toy *toy_open(const struct toy_options *options);
int toy_count(struct toy *toy);

#endif
