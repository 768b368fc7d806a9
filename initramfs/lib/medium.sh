# shellcheck shell=dash
# Finding the medium: the ISO 9660 volume with the label LABEL, on a CD, a whole disk (an ISO written to a USB stick), a
# partition or, where the command line says so, in a file (lib/isofile.sh).
#
# Any disk can carry that label. The configuration of the boot loader on the medium therefore says which one it is, by
# something that another medium cannot have: MEDIUM is the SHA-256 (hex) of the medium's SUMS, which has the SHA-256 of
# the squashfs and of what else the running system takes from the medium. All of it is read and compared before it is
# used. Without MEDIUM (a kernel started by hand) there must be one volume with the label only.
#
# A device that answers differently when it is read again is not found out: that takes dm-verity.

SQUASHFS=live/filesystem.squashfs
SUMS=live/SHA256SUMS
MEDIUM_DISK=''
# The whole disk that the medium is on, which is never a state disk.
PASSED_OVER=''
# Devices that hold another medium, so that they are read only once.

# volume_label NAME: the label of an ISO 9660 volume (ECMA-119, 8.4: the primary volume descriptor is sector 16; its
# identifier is at byte 1, the volume's at bytes 40 to 71, filled up with spaces). Nothing when it is none.
volume_label() {
    local identifier
    identifier=$(dd if="/dev/$1" bs=1 skip=32769 count=5 2>/dev/null)
    [ "$identifier" != CD001 ] || dd if="/dev/$1" bs=1 skip=32808 count=32 2>/dev/null | sed 's/ *$//'
}

# is_sha256 WORD
is_sha256() {
    case $1 in
        *[!0-9a-f]*) return 1 ;;
    esac
    [ ${#1} -eq 64 ]
}

# differs FOLDER COPY: why the volume at FOLDER is not MEDIUM; nothing when it is. COPY becomes a copy of its SUMS.
differs() {
    local sum
    # A copy, so that what is compared is what is followed. Links could lead out of the volume.
    if [ -L "$1/live" ] || [ -L "$1/$SUMS" ] || [ -L "$1/$SQUASHFS" ] || [ ! -f "$1/$SUMS" ] ||
        ! head -c 1048576 "$1/$SUMS" >"$2" 2>/dev/null; then
        echo "it has no $SUMS"
        return
    fi
    sum=$(sha256sum <"$2")
    if [ "${sum%% *}" != "$MEDIUM" ]; then
        echo "its $SUMS is not the one that was started"
    elif ! grep -q "^[0-9a-f]\{64\}  $SQUASHFS\$" "$2"; then
        echo "its $SUMS does not name $SQUASHFS"
    elif ! (cd "$1" && sha256sum -c "$2") >>/run/livecd/log 2>&1; then
        echo "what it holds is damaged or has been changed: it is not what its $SUMS says"
    fi
}

# try_medium NAME: mount it if it is the medium.
try_medium() {
    local folder=/run/initramfs/medium why=''
    [ "$(volume_label "$1")" = "$LABEL" ] || return 1
    case " $PASSED_OVER " in
        *" $(edition "$1") "*) return 1 ;;
    esac
    if ! mount -t iso9660 -o ro,nodev,nosuid "/dev/$1" $folder 2>>/run/livecd/log; then
        MEDIUM_TROUBLE="$1 is labelled $LABEL but cannot be mounted."
        return 1
    fi
    if [ ! -f "$folder/$SQUASHFS" ]; then
        MEDIUM_TROUBLE="$1 is labelled $LABEL but holds no $SQUASHFS."
    elif [ -z "$MEDIUM" ]; then
        return 0
    else
        why=$(differs $folder /run/livecd/SHA256SUMS)
        [ -n "$why" ] || return 0
        PASSED_OVER="$PASSED_OVER $(edition "$1")"
        MEDIUM_TROUBLE="$1 is labelled $LABEL, yet is not the medium that the machine was started from:
$why."
        warn "$MEDIUM_TROUBLE"
    fi
    umount $folder
    return 1
}

# Without MEDIUM nothing says which of several media is meant.
check_alone() {
    local name others=''
    for name in $(devices); do
        [ "$(disk_of "$name")" = "$MEDIUM_DISK" ] || [ "$(volume_label "$name")" != "$LABEL" ] || others="$others $name"
    done
    [ -z "$others" ] || fail "Several media are labelled $LABEL ($1$others), and which one is meant is
not guessed. livecd.medium= on the kernel command line says so, as the medium's
own /boot/grub/grub.cfg does. Or take the others out."
}

# Mount the medium and the squashfs on it, waiting up to WAIT seconds for slow devices.
find_medium() {
    local name start waited said=3 place=medium
    MEDIUM_TROUBLE=''
    [ -z "$MEDIUM" ] || is_sha256 "$MEDIUM" || fail "livecd.medium=$MEDIUM is no SHA-256 in lower-case hexadecimal digits."
    mkdir -p /run/initramfs/medium /run/initramfs/rootfs
    start=$(now)
    while :; do
        for name in $(devices); do
            if [ -n "$ISO_FILE" ]; then try_file "$name"; else try_medium "$name"; fi && break 2
        done
        waited=$(($(now) - start))
        [ "$waited" -lt "$WAIT" ] || fail "No medium labelled $LABEL${ISO_FILE:+ and called $ISO_FILE} has appeared within $WAIT seconds${MEDIUM:+,
or not the one that the machine was started from}. ${MEDIUM_TROUBLE:-
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
    MEDIUM_DISK=$(disk_of "$name")
    if [ -n "$ISO_FILE" ]; then
        [ -n "$MEDIUM" ] || check_file_alone "$name"
    else
        [ -n "$MEDIUM" ] || check_alone "$name"
    fi
    if [ -n "$TORAM" ] && copy_to_memory /run/initramfs/medium; then
        [ -z "$ISO_FILE" ] || let_go_of_file
        place=memory
    fi
    # What the system is made of is at / with its own modes; here it is only data.
    mount -t squashfs -o ro,nodev,nosuid,loop "/run/initramfs/medium/$SQUASHFS" /run/initramfs/rootfs 2>>/run/livecd/log ||
        fail "The system on the medium $name cannot be mounted.

$SQUASHFS is damaged, or not for this kernel:
$(dmesg | tail -n 5)"
    printf '%s\n' "DEVICE=/dev/$name" "LABEL=$LABEL" "SHA256SUMS=$MEDIUM" "FILE=$ISO_FILE" "PLACE=$place" >/run/livecd/medium
    info "the medium is ${ISO_FILE:+$ISO_FILE on }$name, labelled $LABEL${MEDIUM:+, and what it holds is what was started}"
    [ $place = medium ] || info "it is in memory and can be taken out"
}
