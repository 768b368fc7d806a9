# shellcheck shell=dash
# A system that is on a disk of its own (ROOT, from root= on the kernel command line) instead of on a medium.

# root_device: the name of the device that ROOT means; fails as long as it is not there.
root_device() {
    local name
    for name in $(devices); do
        if goes_by "$name" "$ROOT"; then
            echo "$name"
            return 0
        fi
    done
    # What is no disk to `devices`, as md0.
    case $ROOT in
        /dev/?*) [ -b "$ROOT" ] || return 1 ;;
        *) return 1 ;;
    esac
    name=$(readlink -f "$ROOT")
    echo "${name#/dev/}"
}

# Mount the system on ROOT, waiting up to WAIT seconds for slow devices. What e2fsck can mend without asking, it mends.
mount_disk() {
    local name start status=0
    start=$(now)
    until name=$(root_device); do
        [ $(($(now) - start)) -lt "$WAIT" ] || fail "The disk $ROOT has not appeared within $WAIT seconds.
These block devices are there:
$(describe_devices)

Another one is given as root= on the kernel command line: /dev/..., LABEL=...,
UUID=..., PARTUUID=... or another name that livecd.state= has."
        sleep 0.2
        load_drivers
    done
    probe "/dev/$name"
    if is_ext4; then
        e2fsck -p "/dev/$name" >>/run/livecd/log 2>&1 || status=$?
        [ $status -lt 4 ] || fail "The file system on $name is damaged; e2fsck -p gave up with status $status."
    fi
    mount -o rw "/dev/$name" $NEW_ROOT 2>>/run/livecd/log || fail "The system on $name cannot be mounted ($(contents)):
$(dmesg | tail -n 5)"
    # A kernel that came after the disk was made names itself there.
    [ ! -d $OVER ] || cp -a $OVER/. $NEW_ROOT/ || fail "What the kernel brings cannot be copied to $name."
    has_program "$INIT" || fail "The system on $name has no program $INIT to start."
    info "the root is $name"
}
