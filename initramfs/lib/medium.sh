# shellcheck shell=dash
# Finding the medium: the ISO 9660 volume with the label LABEL, on a CD, a whole disk (an ISO written to a USB stick) or a
# partition.

SQUASHFS=live/filesystem.squashfs
MEDIUM_DISK=''
# The whole disk that the medium is on, which is never a state disk.

# volume_label NAME: the label of an ISO 9660 volume (ECMA-119, 8.4: the primary volume descriptor is sector 16; its
# identifier is at byte 1, the volume's at bytes 40 to 71, filled up with spaces). Nothing when it is none.
volume_label() {
    local identifier
    identifier=$(dd if="/dev/$1" bs=1 skip=32769 count=5 2>/dev/null)
    [ "$identifier" != CD001 ] || dd if="/dev/$1" bs=1 skip=32808 count=32 2>/dev/null | sed 's/ *$//'
}

# try_medium NAME: mount it if it is the medium.
try_medium() {
    [ "$(volume_label "$1")" = "$LABEL" ] || return 1
    if ! mount -t iso9660 -o ro,nodev,nosuid "/dev/$1" /run/initramfs/medium 2>>/run/livecd/log; then
        MEDIUM_TROUBLE="$1 is labelled $LABEL but cannot be mounted."
    elif [ ! -f "/run/initramfs/medium/$SQUASHFS" ]; then
        umount /run/initramfs/medium
        MEDIUM_TROUBLE="$1 is labelled $LABEL but holds no $SQUASHFS."
    else
        return 0
    fi
    return 1
}

# Mount the medium and the squashfs on it, waiting up to WAIT seconds for slow devices.
find_medium() {
    local name start waited said=3
    MEDIUM_TROUBLE=''
    mkdir -p /run/initramfs/medium /run/initramfs/rootfs
    # What is private in the system's files lies in the squashfs, which is a file for everybody on the medium.
    chmod 0700 /run/initramfs
    start=$(now)
    while :; do
        for name in $(devices); do
            try_medium "$name" && break 2
        done
        waited=$(($(now) - start))
        [ "$waited" -lt "$WAIT" ] || fail "No medium labelled $LABEL has appeared within $WAIT seconds. ${MEDIUM_TROUBLE:-
}
These block devices are there:
$(describe_devices)

A slow device may need a larger livecd.wait=SECONDS; another label is
given as livecd.label=LABEL on the kernel command line."
        if [ "$waited" -ge $said ]; then
            info "waiting for a medium labelled $LABEL; so far there are:"
            info "$(describe_devices)"
            said=$((said + 10))
        fi
        sleep 0.2
        load_drivers
    done
    mount -t squashfs -o ro,loop "/run/initramfs/medium/$SQUASHFS" /run/initramfs/rootfs 2>>/run/livecd/log ||
        fail "The system on the medium $name cannot be mounted.

$SQUASHFS is damaged, or not for this kernel:
$(dmesg | tail -n 5)"
    MEDIUM_DISK=$(disk_of "$name")
    printf '%s\n' "DEVICE=/dev/$name" "LABEL=$LABEL" >/run/livecd/medium
    info "the medium is $name, labelled $LABEL"
}
