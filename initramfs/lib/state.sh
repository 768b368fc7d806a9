# shellcheck shell=dash
# Where the running system's changes are kept, by livecd.state=:
#
#   auto      The file system labelled STATE_LABEL, if exactly one device holds one and it is ext4. When no device has
#             that label and exactly one disk is blank (lib/blank.sh), that disk is formatted. When there is no such disk,
#             or more than one, changes stay in memory: what to use is never guessed. A disk that has not been read to
#             its end within BLANK_TIMEOUT seconds for all disks together is not blank. What is on USB or can be taken
#             out is never chosen: a stick that somebody plugs in would bring the node its programs, or leave with its
#             secrets.
#   none      Memory.
#   LABEL=..  The ext4 file system with this label or UUID, if there is exactly one.
#   UUID=..
#   /dev/..   This disk or partition: its ext4 file system, or a new one when it is blank, however long it takes to see.
#
# Whatever else a disk holds is left alone: it is not written to, not mounted and not repaired, and there is no way to
# force it; wipe a disk to give it away. Whenever it does not go as asked, changes stay in memory and a notice says why,
# on the consoles, at every login and in /run/livecd/state.

MINIMUM=$((256 * 1048576))
# Bytes of the smallest disk that is formatted.
STATE_DIR=/state
REASONS=''
# Why each disk was passed over, a line each.

# because NAME TEXT
because() {
    REASONS="$REASONS
  $1 ($(human "$(size_of "$1")")): $2"
}

# record MODE DEVICE REASON
record() {
    printf '%s\n' "MODE=$1" "DEVICE=$2" "REASON=$(printf '%s' "$3" | tr '\n' ' ')" >/run/livecd/state
}

# use_memory REASON: keep changes in memory.
use_memory() {
    mkdir -p $STATE_DIR
    mount -t tmpfs -o mode=0755 tmpfs $STATE_DIR || fail "No memory for a temporary file system."
    make_folders || fail "No memory for a temporary file system."
    record memory '' "$1"
}

# fall_back REASON: the same, when it is not what the user asked for.
fall_back() {
    use_memory "$1"
    notice "CHANGES TO THIS SYSTEM ARE LOST WHEN IT IS SWITCHED OFF.

$1$REASONS

Give it a blank disk, or name one with livecd.state= on the kernel command
line. A disk whose data nobody needs becomes a state disk when
    mkfs.ext4 -L $STATE_LABEL /dev/NAME
is run in this system, which destroys what is on it; it is used from the next
start on. livecd.state=none if this is meant to be."
}

# The folders that overlayfs needs on the writable file system. Links would lead out of it.
make_folders() {
    local folder
    for folder in "$STATE_DIR/overlay" "$STATE_DIR/overlay/upper" "$STATE_DIR/overlay/work"; do
        [ ! -L "$folder" ] || return 1
        [ -d "$folder" ] || mkdir "$folder" 2>>/run/livecd/log || return 1
    done
}

# check_filesystem NAME: fsck. Only a file system of our own is repaired beyond what is always safe.
check_filesystem() {
    local status
    e2fsck -p "/dev/$1" </dev/null >/run/livecd/fsck.log 2>&1
    status=$?
    if [ $((status & ~3)) -ne 0 ] && [ "$PROBE_LABEL" = "$STATE_LABEL" ]; then
        warn "the file system on $1 is damaged and is being repaired"
        e2fsck -y "/dev/$1" </dev/null >>/run/livecd/fsck.log 2>&1
        status=$?
    fi
    # e2fsck(8): 1 errors were corrected, 2 and a reboot is due were it mounted; from 4 on it is not fit for use.
    [ $((status & ~3)) -eq 0 ]
}

# use_disk NAME HOW: keep changes on the ext4 file system there, which `probe` has just looked at.
use_disk() {
    if is_read_only "$1"; then
        fall_back "The state disk $1 is read-only."
    elif ! check_filesystem "$1"; then
        fall_back "The file system on the state disk $1 is damaged and was not repaired:
$(tail -n 5 /run/livecd/fsck.log)"
    elif ! mkdir -p $STATE_DIR || ! mount -t ext4 -o rw "/dev/$1" $STATE_DIR 2>>/run/livecd/log; then
        fall_back "The file system on the state disk $1 cannot be mounted:
$(dmesg | tail -n 3)"
    elif ! make_folders; then
        umount $STATE_DIR
        fall_back "On the state disk $1, the folders overlay/upper and overlay/work cannot be made."
    else
        record disk "/dev/$1" "$2"
        info "changes are kept on $1: $2"
    fi
}

# format_disk NAME: make it a state disk. Only ever called for one that is_blank.
format_disk() {
    info "$1 ($(human "$(size_of "$1")")) is blank and becomes the state disk"
    # nodiscard: blank is as far as we look, and what a trim drops cannot be brought back. The full path matters: busybox
    # has an mke2fs as well, for ext2.
    if ! /usr/sbin/mke2fs -q -t ext4 -L "$STATE_LABEL" -b 4096 -m 1 -e remount-ro \
        -E nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 "/dev/$1" </dev/null >>/run/livecd/log 2>&1; then
        fall_back "The blank disk $1 could not be formatted:
$(tail -n 3 /run/livecd/log)"
        return
    fi
    probe "/dev/$1"
    use_disk "$1" "it was blank and has been formatted"
}

# --- livecd.state=auto -------------------------------------------------------------------------------------------------

# find_labelled: sets LABELLED to the devices that carry our label, whatever holds it, and PLUGGED to those of them that
# auto does not take, with REASONS for these.
find_labelled() {
    local name
    LABELLED='' PLUGGED=''
    for name in $(devices); do
        [ "$(disk_of "$name")" != "$MEDIUM_DISK" ] || continue
        probe "/dev/$name"
        [ "$PROBE_LABEL" = "$STATE_LABEL" ] || continue
        if is_pluggable "$name"; then
            PLUGGED="$PLUGGED $name"
            because "$name" "is labelled $STATE_LABEL, yet on USB or removable$(taken_by "$name")"
        else
            LABELLED="$LABELLED $name"
        fi
    done
}

# taken_by NAME: the livecd.state= that takes the ext4 which `probe` has just found; nothing for what none takes.
taken_by() {
    if is_ext4 && [ -n "$PROBE_UUID" ]; then
        echo "; livecd.state=UUID=$PROBE_UUID takes it as it is"
    fi
}

# may_format NAME: whether this is a disk of a kind to be formatted unasked.
may_format() {
    case $1 in
        mmcblk*boot* | mmcblk*rpmb* | mmcblk*gp* | nvme*c*n*) return 1 ;;
        sd[a-z]* | vd[a-z]* | xvd[a-z]* | nvme*n* | mmcblk*) ;;
        *) return 1 ;;
    esac
    [ ! -e "/sys/class/block/$1/partition" ] && [ "$1" != "$MEDIUM_DISK" ]
}

# refusal NAME: why the disk or partition, which `probe` has just looked at, must not be formatted; nothing if it may, should
# it be blank.
refusal() {
    local size zoned=none
    size=$(size_of "$1")
    read -r zoned 2>/dev/null <"/sys/class/block/$1/queue/zoned" || :
    if ! is_unsigned; then
        echo "holds $(contents)$(taken_by "$1")"
    elif has_partitions "$1"; then
        echo "has partitions"
    elif is_held "$1"; then
        echo "is in use"
    elif is_read_only "$1"; then
        echo "read-only"
    elif [ "$zoned" != none ]; then
        echo "a zoned disk"
    elif [ "$size" -lt $MINIMUM ]; then
        echo "too small, at least $(human $MINIMUM) are needed"
    fi
}

# blank_refusal NAME [SECONDS]: the same, of one that could only be refused for not being blank: reads all of it, within
# SECONDS. Sets WHY.
blank_refusal() {
    local size status=0
    size=$(size_of "$1")
    WHY=''
    info "reading $1 ($(human "$size")) to see whether it is blank"
    is_blank "/dev/$1" "$size" "${2:-}" || status=$?
    case $status in
        0) ;;
        2) WHY="not read to its end, $(human "$BLANK_READ") in $2 seconds; livecd.state=/dev/$1 reads on and takes it if it is blank" ;;
        *) WHY="has no signature, yet is not blank; livecd.state=/dev/$1 takes it when it is" ;;
    esac
}

# auto_refusal NAME: the same as `refusal`, with what else auto passes over.
auto_refusal() {
    local why
    probe "/dev/$1"
    why=$(refusal "$1")
    if [ -z "$why" ] && is_pluggable "$1"; then
        why="is on USB or removable; livecd.state=/dev/$1 takes it if it is blank"
    fi
    echo "$why"
}

# find_blank: sets BLANK to the blank disks, and REASONS for all others.
find_blank() {
    local name names='' left=0 end share
    BLANK=''
    for name in $(devices); do
        may_format "$name" || continue
        names="$names $name"
        [ -n "$(auto_refusal "$name")" ] || left=$((left + 1))
    done
    end=$(($(now) + BLANK_TIMEOUT))
    for name in $names; do
        WHY=$(auto_refusal "$name")
        if [ -z "$WHY" ]; then
            # Each has its share of the time that is left.
            [ $left -gt 0 ] || left=1
            share=$(((end - $(now) + left - 1) / left))
            [ $share -gt 0 ] || share=0
            blank_refusal "$name" $share
            left=$((left - 1))
        fi
        if [ -n "$WHY" ]; then
            because "$name" "$WHY"
        else
            BLANK="$BLANK $name"
        fi
    done
}

# use_labelled: use the only one of LABELLED, if there is only one. Fails when nothing is labelled.
use_labelled() {
    # shellcheck disable=SC2086  # a list of words
    set -- $LABELLED
    if [ $# -gt 1 ]; then
        fall_back "Several disks are labelled $STATE_LABEL ($*), and which one is meant is not
guessed."
    elif [ $# -eq 1 ]; then
        probe "/dev/$1"
        if is_ext4; then
            use_disk "$1" "it is labelled $STATE_LABEL"
        else
            fall_back "$1 is labelled $STATE_LABEL but holds $(contents), not just ext4."
        fi
    elif [ -n "$PLUGGED" ]; then
        # Perhaps it is the node's after all, so no other one is made.
        fall_back "No disk that livecd.state=auto takes is labelled $STATE_LABEL."
    else
        return 1
    fi
}

set_up_auto() {
    # Disks on USB come when they like; others have been waited for when their driver was loaded.
    if [ -e /sys/bus/usb/devices/usb1 ]; then settle 3; else settle 1; fi
    find_labelled
    ! use_labelled || return 0
    find_blank
    # One that came meanwhile.
    find_labelled
    ! use_labelled || return 0
    # shellcheck disable=SC2086  # a list of words
    set -- $BLANK
    case $# in
        0) fall_back "There is no disk labelled $STATE_LABEL, and none that is blank." ;;
        1) format_disk "$1" ;;
        *) fall_back "Several disks are blank ($*), and which one is meant is not guessed:
$(printf 'livecd.state=/dev/%s\n' "$@")" ;;
    esac
}

# --- livecd.state=LABEL=.., UUID=.., /dev/.. ---------------------------------------------------------------------------

# find_named: sets NAMED to the devices that STATE names, which may be none or several.
find_named() {
    local name found
    NAMED=''
    for name in $(devices); do
        case $STATE in
            /dev/*) found=/dev/$name ;;
            LABEL=*) probe "/dev/$name" && found=LABEL=$PROBE_LABEL ;;
            UUID=*) probe "/dev/$name" && found=UUID=$PROBE_UUID ;;
        esac
        [ "$found" != "$STATE" ] || NAMED="$NAMED $name"
    done
}

set_up_named() {
    local start why
    start=$(now)
    while find_named && [ -z "$NAMED" ]; do
        if [ $(($(now) - start)) -ge "$WAIT" ]; then
            fall_back "The state disk $STATE has not appeared within $WAIT seconds. These devices are
there:
$(describe_devices)"
            return
        fi
        sleep 0.5
        load_drivers
    done
    # shellcheck disable=SC2086  # a list of words
    set -- $NAMED
    if [ $# -gt 1 ]; then
        fall_back "Several devices are $STATE ($*), and which one is meant is not guessed."
        return
    fi
    probe "/dev/$1"
    if is_ext4; then
        use_disk "$1" "livecd.state=$STATE names it"
        return
    fi
    why=$(refusal "$1")
    if [ -z "$why" ]; then
        blank_refusal "$1"
        why=${WHY%%;*}
    fi
    if [ -n "$why" ]; then
        fall_back "The state disk $1, named by livecd.state=$STATE, was not touched: it
$why. Only ext4 or a blank disk is used."
    else
        format_disk "$1"
    fi
}

set_up_state() {
    case $STATE in
        auto) set_up_auto ;;
        none)
            use_memory "livecd.state=none"
            info "changes are kept in memory (livecd.state=none)"
            ;;
        /dev/?* | LABEL=?* | UUID=?*) set_up_named ;;
        *) fall_back "livecd.state=$STATE is none of auto, none, LABEL=.., UUID=.. and /dev/.. ." ;;
    esac
}
