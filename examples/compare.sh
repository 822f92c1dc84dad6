#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Runs an example and compares what it prints with what is expected.
set -eu
"$1" | diff -u "$2" -
