#!/usr/bin/env bash
# The device of the power-cut tests is itself tested: what was written with data sync survives a cut, a plain direct write does not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${FORGET_FS:-}" ] && [ -n "${1:-}" ]; then export FORGET_FS=$1/forget_fs; fi
# shellcheck source=tests/e2e/power_cut_device.sh
. "$here/power_cut_device.sh"

work=$(mktemp -d)
trap 'device_down; rm -rf "$work"' EXIT
blocks=64
size=$((blocks * 4096))
mkdir "$work/device"

fail() {
    echo "failed: $1" >&2
    exit 1
}

# put FILE FLAGS: writes the new bytes over the old ones, block by block.
put() {
    dd if="$work/new" of="$1" bs=4096 conv=notrunc oflag="$2" status=none
}

# blocks_of FILE: how many of its blocks have the new bytes; each must be wholly old or new.
blocks_of() {
    local b new=0
    for b in $(seq 0 $((blocks - 1))); do
        if cmp -s -n 4096 -i "$((b * 4096))" "$1" "$work/new"; then
            new=$((new + 1))
        else
            cmp -s -n 4096 -i "$((b * 4096))" "$1" "$work/old" || fail "block $b of $1 is neither old nor new"
        fi
    done
    echo $new
}

head -c $size /dev/urandom >"$work/old"
head -c $size /dev/urandom >"$work/new"
status=0
device_up "$work/device" 64 || status=$?
[ $status -eq 0 ] || exit $status
mount=$work/device/mount

for seed in 1 2 3 4 5; do
    cp "$work/old" "$mount/synced"
    cp "$work/old" "$mount/plain"
    cp "$work/old" "$mount/late"
    sync -f "$mount"
    put "$mount/synced" direct,dsync
    put "$mount/plain" direct
    [ "$(blocks_of "$mount/plain")" = $blocks ] || fail "the plain write is not there before the cut"
    device_cut $seed
    put "$mount/late" direct,dsync 2>/dev/null && fail "a write after the cut succeeded"
    device_remount
    [ "$(blocks_of "$mount/synced")" = $blocks ] || fail "seed $seed: a write with data sync was lost"
    kept=$(blocks_of "$mount/plain")
    [ "$kept" -lt $blocks ] || fail "seed $seed: a plain direct write survived whole"
    [ "$kept" -gt 0 ] || fail "seed $seed: no block of a plain write was kept, which is too orderly"
    [ "$(blocks_of "$mount/late")" = 0 ] || fail "seed $seed: a write after the cut reached the disk"
    echo "seed $seed: $blocks of $blocks synced blocks kept, $kept of $blocks plain ones"
done
umount "$mount"
e2fsck -f -n "$(cat "$work/device/loop")" >"$work/fsck" 2>&1 || { cat "$work/fsck"; fail "the file system is damaged"; }
