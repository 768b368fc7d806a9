# shellcheck shell=dash
# The root of the running system: an overlay of the squashfs and the writable file system.

NEW_ROOT=/newroot

# What belongs to the kernel and not to the medium, laid over the squashfs: a kernel without modules names itself there.
OVER=/usr/lib/livecd/over
LOWER=/run/initramfs/rootfs

lay_over() {
    [ -d $OVER ] || return 0
    cp -a $OVER /run/initramfs/kernel || fail "What the kernel brings cannot be copied."
    LOWER=/run/initramfs/kernel:$LOWER
}

overlay() {
    mount -t overlay -o "lowerdir=$LOWER,upperdir=$STATE_DIR/overlay/upper,workdir=$STATE_DIR/overlay/work" \
        overlay $NEW_ROOT 2>>/run/livecd/log
}

mount_root() {
    lay_over
    if ! overlay; then
        umount $STATE_DIR
        ON_DISK=''
        fall_back "The state disk was not used: no overlay can be mounted on it:
$(dmesg | tail -n 3)" "Its file system may lack what overlayfs needs. $(help_make /dev/NAME)"
        overlay || fail "The root cannot be mounted:
$(dmesg | tail -n 5)"
    fi
    has_program "$INIT" || fail "The system on the medium has no program $INIT to start."
    mkdir -p $NEW_ROOT/mnt $NEW_ROOT/dev $NEW_ROOT/proc $NEW_ROOT/run $NEW_ROOT/sys ||
        fail "The root cannot be written to:
$(dmesg | tail -n 5)"
    mount -o move $STATE_DIR $NEW_ROOT/mnt || fail "The writable file system cannot be moved to /mnt."
}

# prepare_shutdown: leave what unmounts the state disk at the end. It takes 2 MB of memory.
prepare_shutdown() {
    [ -n "$ON_DISK" ] || return 0
    if ! mkdir /run/initramfs/oldroot || ! cp /usr/bin/busybox $LIB/shutdown /run/initramfs/ ||
        ! chmod 0755 /run/initramfs/shutdown; then
        warn "there is no room for what unmounts the state disk at the end; its journal does so at the next start"
        rm -f /run/initramfs/shutdown
    fi
}

# has_program PATH: whether the new root has it, with links followed as its own root would.
has_program() {
    local path=$1 target left=20
    while [ -L "$NEW_ROOT$path" ] && [ $left -gt 0 ]; do
        target=$(readlink "$NEW_ROOT$path")
        case $target in
            /*) path=$target ;;
            *) path=${path%/*}/$target ;;
        esac
        left=$((left - 1))
    done
    [ -f "$NEW_ROOT$path" ] && [ -x "$NEW_ROOT$path" ]
}

# start_system ARGUMENT...: hand over to the system's own first program. The kernel's own arguments go on to it.
start_system() {
    local name
    info "starting $INIT"
    # /dev last: without it nothing could be said of a failure.
    for name in proc sys run dev; do
        mount -o move /$name $NEW_ROOT/$name || fail "/$name cannot be moved into the root."
    done
    exec switch_root $NEW_ROOT "$INIT" "$@"
}
