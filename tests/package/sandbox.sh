#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage: unshare -m sandbox.sh FOLDER PACKAGES SOURCE TEST…
# Installs packages with dpkg, runs debian/tests, removes them. The machine does not notice: what
# dpkg writes goes to a mount namespace of its own, on top of what is there. FOLDER/results gets what
# each test said.
set -eu
folder=$1 packages=$2 source=$3
shift 3

mkdir -p "$folder/results" "$folder/machine"
mount -t tmpfs none "$folder/machine"
for place in usr etc var; do
    mkdir -p "$folder/machine/$place/upper" "$folder/machine/$place/work"
    mount -t overlay none "/$place" -o \
        "lowerdir=/$place,upperdir=$folder/machine/$place/upper,workdir=$folder/machine/$place/work"
done
echo ready

export DEBIAN_FRONTEND=noninteractive
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # the distribution's programs before others
dpkg -i "$packages"/*.deb >"$folder/results/install" 2>&1
echo installed

cd "$source"
for test in "$@"; do
    AUTOPKGTEST_TMP=$(mktemp -d "$folder/machine/test-XXXXXX")
    export AUTOPKGTEST_TMP
    status=0
    timeout -k 1 120 "debian/tests/$test" >"$folder/results/$test.out" 2>"$folder/results/$test.err" \
        </dev/null || status=$?
    echo "$test $status"
done

names=$(for package in "$packages"/*.deb; do dpkg-deb -f "$package" Package; done)
# shellcheck disable=SC2086
dpkg -P $names >"$folder/results/remove" 2>&1
find /usr /etc -name '*weir*' >"$folder/results/left"
echo removed
