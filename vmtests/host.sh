# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the host's side of the VM tests shares: where things are, messages, one guest at a time.
VMTESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=${VMTESTS%/*}
CACHE=${WEIR_VM_CACHE:-/var/cache/weir/kernels}
BUILD=${BUILD:-$TOP/build}
[ "${BUILD#/}" != "$BUILD" ] || BUILD=$TOP/$BUILD
ACCEL_KNOWN=/run/weir-vm-accel # forgotten at the host's next boot
PATH=/usr/sbin:/usr/bin:/sbin:/bin

say() { printf 'vm: %s\n' "$*"; }
warn() { printf 'vm: %s\n' "$*" >&2; }
die() { warn "$*"; exit 1; }

kernel_names() { sed -n 's/^\([^# ][^ ]*\) .*/\1/p' "$VMTESTS/kernels"; }

need_programs() {
    local program
    for program in qemu-system-x86_64 busybox cpio; do
        command -v $program >/dev/null || die "$program is missing: run sudo vmtests/setup"
    done
}

# Two guests at once make each other slow, and time limits untrue.
lock_guests() {
    mkdir -p "$CACHE"
    exec {GUEST_LOCK}>"$CACHE/lock"
    flock -n "$GUEST_LOCK" || { say "another run has a guest; waiting for it"; flock "$GUEST_LOCK"; }
}
