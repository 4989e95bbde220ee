#!/usr/bin/env bash
# The crash tests must find planted bugs: a build that answers before the write is complete fails the kill test, a build without
# data sync fails on the forgetting device.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=${1:?usage: sabotage_test.sh PROGRAMS-FOLDER}

# The programs of the sound build, with the daemon that has the bug.
daemon() {
    mkdir "$work/$1"
    cp "$programs"/otpring "$programs"/otpring-log "$programs"/libotpring.so.* "$programs/../sabotage/$1/otpringd" "$work/$1/"
}

# What the tests say when a promise is broken: a failure for another reason would prove nothing.
broken='corrupt below a committed position|not in the log|accepted more than once'

# must_fail NAME COMMAND...: a test that passes on a planted bug is itself broken.
must_fail() {
    local name=$1 status=0
    shift
    "$@" >"$work/out" 2>&1 || status=$?
    if [ $status -eq 77 ]; then
        grep '^skipped:' "$work/out" || true
        echo "skipped: $name could not run"
    elif [ $status -eq 0 ]; then
        echo "$name passed on a build with a planted bug"
        exit 1
    elif ! grep -qE "$broken" "$work/out"; then
        echo "$name failed on a build with a planted bug, but not by a broken promise:"
        tail -n 20 "$work/out"
        exit 1
    else
        echo "measured: $name finds the planted bug: $(grep -oE "$broken" "$work/out" | tail -n 1)"
    fi
}

daemon early-answer
must_fail "the kill test" env OTPRING_KILLS=20 "$here/once_test.py" "$work/early-answer"
daemon no-sync
must_fail "the power-cut test" env OTPRING_CUTS=10 "$here/power_cut_test.py" "$work/no-sync"
