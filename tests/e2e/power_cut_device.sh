#!/usr/bin/env bash
# A disk whose power can be cut: ext4 on a loop device over forget_fs. To be sourced, or called as a program:
#
#     device_up DIR SIZE_MIB   makes it; the file system is DIR/mount
#     device_cut SEED          the power fails: unsynced 4 KiB blocks are kept or lost by the seed, all I/O fails from now on
#     device_fail              writes and syncs fail with EIO from now on, reads do not; device_remount ends it
#     device_remount           the power is back: a new loop device, the journal of ext4 replayed. Close all files first
#     device_down              takes everything away
#     device_counts            what the disk counted: writes, syncs, volatile, kept, lost
#
# All but the first work on $DEVICE_DIR, which device_up sets; as a program: DEVICE_DIR=DIR power_cut_device.sh cut 7.
# device_up returns 77 and prints `skipped: reason` where FUSE, loop devices or root are not to be had.
# FORGET_FS names the program; without it, it is compiled from its source.

device_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

device_skip() {
    echo "skipped: $1"
    return 77
}

device_program() {
    if [ -n "${FORGET_FS:-}" ] && [ -x "$FORGET_FS" ]; then
        cp "$FORGET_FS" "$DEVICE_DIR/forget_fs"
        return
    fi
    pkg-config --exists fuse3 2>"$DEVICE_DIR/log" || return 1
    # shellcheck disable=SC2046 # the flags are words
    cc -O2 -D_GNU_SOURCE "$device_here/forget_fs.c" -o "$DEVICE_DIR/forget_fs" $(pkg-config --cflags --libs fuse3) \
        2>"$DEVICE_DIR/log"
}

device_attach() {
    losetup --find --show --direct-io=on "$DEVICE_DIR/fuse/image" 2>>"$DEVICE_DIR/log" >"$DEVICE_DIR/loop"
}

# The commit interval is long, so that nothing is synced that nobody asked to sync.
device_mount() {
    mount -t ext4 -o commit=300,nodiscard "$(cat "$DEVICE_DIR/loop")" "$DEVICE_DIR/mount" 2>>"$DEVICE_DIR/log"
}

device_start() {
    "$DEVICE_DIR/forget_fs" "$1" "$DEVICE_DIR/fuse" >>"$DEVICE_DIR/log" 2>&1 </dev/null &
    echo $! >"$DEVICE_DIR/pid"
    for _ in $(seq 100); do
        [ -e "$DEVICE_DIR/fuse/image" ] && return 0
        kill -0 "$(cat "$DEVICE_DIR/pid")" 2>>"$DEVICE_DIR/log" || return 1
        sleep 0.05
    done
    return 1
}

device_up() {
    DEVICE_DIR=$1
    export DEVICE_DIR
    [ "$(id -u)" = 0 ] || { device_skip "a device needs root"; return; }
    [ -c /dev/fuse ] || { device_skip "there is no /dev/fuse"; return; }
    [ -c /dev/loop-control ] || { device_skip "there are no loop devices"; return; }
    command -v mkfs.ext4 losetup fusermount3 >/dev/null || { device_skip "mkfs.ext4, losetup or fusermount3 is missing"; return; }
    mkdir -p "$DEVICE_DIR/fuse" "$DEVICE_DIR/mount"
    : >"$DEVICE_DIR/log"
    device_program || { device_skip "forget_fs cannot be built (libfuse3)"; return; }
    device_start "$2" || { device_down; device_skip "FUSE file systems cannot be mounted here"; return; }
    device_attach || { device_down; device_skip "no loop device to be had"; return; }
    mkfs.ext4 -q -b 4096 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$(cat "$DEVICE_DIR/loop")" >>"$DEVICE_DIR/log" 2>&1 &&
        device_mount && sync -f "$DEVICE_DIR/mount" && return 0
    cat "$DEVICE_DIR/log"
    device_down
    return 1
}

device_cut() {
    echo "cut $1" >"$DEVICE_DIR/fuse/control"
}

device_fail() {
    echo fail >"$DEVICE_DIR/fuse/control"
}

device_detach() {
    for _ in $(seq 100); do
        mountpoint -q "$DEVICE_DIR/mount" || break
        umount "$DEVICE_DIR/mount" 2>>"$DEVICE_DIR/log" && break
        sleep 0.05
    done
    mountpoint -q "$DEVICE_DIR/mount" && { echo "files on $DEVICE_DIR/mount are still open"; return 1; }
    [ -s "$DEVICE_DIR/loop" ] || return 0
    losetup -d "$(cat "$DEVICE_DIR/loop")" && : >"$DEVICE_DIR/loop"
}

# The old loop device goes before the power comes back, so that nothing it still holds reaches the disk.
device_remount() {
    device_detach && echo revive >"$DEVICE_DIR/fuse/control" && device_attach && device_mount && return 0
    cat "$DEVICE_DIR/log"
    return 1
}

device_down() {
    [ -n "${DEVICE_DIR:-}" ] && [ -d "$DEVICE_DIR/fuse" ] || return 0
    device_detach || umount -l "$DEVICE_DIR/mount"
    [ -s "$DEVICE_DIR/loop" ] && losetup -d "$(cat "$DEVICE_DIR/loop")"
    mountpoint -q "$DEVICE_DIR/fuse" && { fusermount3 -u "$DEVICE_DIR/fuse" || fusermount3 -uz "$DEVICE_DIR/fuse"; }
    # It ends by itself when it is unmounted; by then it may be another shell's child, so it is polled.
    for _ in $(seq 100); do
        kill -0 "$(cat "$DEVICE_DIR/pid")" 2>/dev/null || break
        sleep 0.05
    done
    rm -f "$DEVICE_DIR/forget_fs" "$DEVICE_DIR/pid" "$DEVICE_DIR/loop" "$DEVICE_DIR/log"
    rmdir "$DEVICE_DIR/mount" "$DEVICE_DIR/fuse"
}

device_counts() {
    cat "$DEVICE_DIR/fuse/control"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case "${1:-}" in
    up | cut | fail | remount | down | counts) "device_$1" "${@:2}" ;;
    *)
        echo "usage: power_cut_device.sh up DIR SIZE_MIB | cut SEED | fail | remount | down | counts" >&2
        exit 2
        ;;
    esac
fi
