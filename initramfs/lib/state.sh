# shellcheck shell=dash
# Where the running system's changes are kept, by livecd.state=:
#
#   auto      The file system labelled STATE_LABEL, if exactly one device holds one and it is ext4. When no device has
#             that label and exactly one disk is blank (lib/blank.sh), that disk is formatted. When there is no such disk,
#             or more than one, changes stay in memory: what to use is never guessed. A disk that has not been read to
#             its end within BLANK_TIMEOUT seconds for all disks together is not blank. What is on USB or can be taken
#             out is never chosen: a stick that somebody plugs in would bring the node its programs, or leave with its
#             secrets. Whatever comes while disks are read is looked at before one is formatted.
#   none      Memory.
#   NAME      The disk or partition that has this name (lib/names.sh), if there is exactly one: its ext4 file system, or
#             a new one when it is blank, however long it takes to see.
#
# With ",required" behind it, the system starts with its state or not at all: nothing is kept in memory, and no disk is
# formatted but the one with this name, when it is a name that lasts.
#
# Whatever else a disk holds is left alone: it is not written to, not mounted and not repaired, and there is no way to
# force it; wipe a disk to give it away. Whenever it does not go as asked, changes stay in memory and a notice says why
# and what helps, on the consoles, at every login and in /run/livecd/state.

MINIMUM=$((256 * 1048576))
# Bytes of the smallest disk that is formatted.
STATE_DIR=/state
LEAST_LEFT=$((64 * 1024))
# KiB that a state disk has to have left; with less, the system hardly starts.
PATIENCE=5
# Seconds in which a state disk may come before a blank disk becomes one, where livecd.state_wait= says nothing.
REASONS=''
# Why each disk was passed over, a line each.
ON_DISK=''
# Whether changes are kept on a disk.
REQUIRED=''
# Whether the system must not start without its state.

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

# fall_back REASON HELP: the same, when it is not what the user asked for; HELP is what to do. Never returns when the state
# is required.
fall_back() {
    [ -z "$REQUIRED" ] || fail "This system must not start without its state (livecd.state=$STATE,required).

$1$REASONS

$2"
    use_memory "$1"
    notice "CHANGES TO THIS SYSTEM ARE LOST WHEN IT IS SWITCHED OFF.

$1$REASONS

$2
livecd.state=none if this is meant to be."
}

# help_make DEVICE [LABEL]: what makes a state disk of one whose data nobody needs.
help_make() {
    if [ -n "$REQUIRED" ]; then
        echo "A disk whose data nobody needs becomes the state disk when this is run in the
shell that livecd.rescue on the kernel command line gives. It destroys what is
on the disk, which is used from the next start on:
    mke2fs -t ext4 -L ${2:-$STATE_LABEL} $1"
    else
        echo "A disk whose data nobody needs becomes the state disk when this is run in this
system. It destroys what is on the disk, which is used from the next start on:
    mkfs.ext4 -L ${2:-$STATE_LABEL} $1"
    fi
}

# help_choose DEVICE...: how one of several is named, a line each, by what it holds where that tells them apart.
help_choose() {
    local name uuids=''
    for name in "$@"; do
        probe "/dev/$name"
        [ -z "$PROBE_UUID" ] || uuids="$uuids
$PROBE_UUID"
    done
    echo "Say on the kernel command line which one it is:"
    for name in "$@"; do
        probe "/dev/$name"
        if [ -n "$PROBE_UUID" ] && [ "$(echo "$uuids" | grep -c -x -e "$PROBE_UUID")" = 1 ]; then
            echo "livecd.state=UUID=$PROBE_UUID ($name)"
        else
            echo "livecd.state=$(best_name "$name")"
        fi
    done
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
        fall_back "The state disk $1 is read-only." "Take off its write protection, or name another one with livecd.state= on the
kernel command line."
    elif ! check_filesystem "$1"; then
        fall_back "The file system on the state disk $1 is damaged and was not repaired:
$(tail -n 5 /run/livecd/fsck.log)" "\`e2fsck -f /dev/$1\` asks what to do with each error. Copy the disk before."
    elif ! mkdir -p $STATE_DIR || ! mount -t ext4 -o rw "/dev/$1" $STATE_DIR 2>>/run/livecd/log; then
        fall_back "The file system on the state disk $1 cannot be mounted:
$(dmesg | tail -n 3)" "A newer kernel may have what it lacks. $(help_make "/dev/$1")"
    elif ! make_folders; then
        umount $STATE_DIR
        fall_back "On the state disk $1, the folders overlay/upper and overlay/work cannot be made." "Mount it in this system and see what is in their place, or whether it is full:
    mount /dev/$1 /media && df /media && ls -la /media /media/overlay"
    else
        record disk "/dev/$1" "$2"
        ON_DISK=yes
        info "changes are kept on $1: $2"
        check_room "$1"
    fi
}

# check_room NAME: say so when the state disk is full.
check_room() {
    local left files
    left=$(df -kP $STATE_DIR 2>/dev/null | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9]*% .*/\1/p')
    files=$(stat -f -c %d $STATE_DIR 2>/dev/null)
    if [ "${left:-$LEAST_LEFT}" -lt $LEAST_LEFT ]; then
        left="$((left / 1024)) MiB are left"
    elif [ "${files:-1000}" -lt 1000 ]; then
        left="$files more files can be made"
    else
        return 0
    fi
    notice "THE STATE DISK $1 IS FULL: $left.

Services may fail to start, and changes may be lost. What takes the room:
    du -xh -d 3 /mnt | sort -h | tail -n 20
Changes of the root are below /mnt/overlay; remove them by their paths in the root."
}

# format_disk NAME: make it a state disk. Only ever called for one that is_blank.
format_disk() {
    # nodiscard: blank is as far as we look, and what a trim drops cannot be brought back. The full path matters: busybox
    # has an mke2fs as well, for ext2.
    if ! /usr/sbin/mke2fs -q -t ext4 -L "$STATE_LABEL" -b 4096 -m 1 -e remount-ro \
        -E nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 "/dev/$1" </dev/null >>/run/livecd/log 2>&1; then
        fall_back "The blank disk $1 could not be formatted:
$(tail -n 3 /run/livecd/log)" "The disk may be failing; dmesg says more. Name another one with livecd.state= on the
kernel command line."
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
        2) WHY="not read to its end, $(human "$BLANK_READ") in $2 seconds; livecd.state=$(best_name "$1") reads on and takes it if it is blank" ;;
        *) WHY="has no signature, yet is not blank: something on it is not zero" ;;
    esac
}

# auto_refusal NAME: the same as `refusal`, with what else auto passes over.
auto_refusal() {
    local why
    probe "/dev/$1"
    why=$(refusal "$1")
    if [ -z "$why" ] && is_pluggable "$1"; then
        why="is on USB or removable; livecd.state=$(best_name "$1") takes it if it is blank"
    fi
    echo "$why"
}

# find_blank END: sets BLANK to the blank disks, REASONS for all others, and USED to those of them that could be given away.
# At END (see `now`) it stops reading.
find_blank() {
    local name names='' left=0 share
    BLANK='' USED=''
    for name in $(devices); do
        may_format "$name" || continue
        names="$names $name"
        [ -n "$(auto_refusal "$name")" ] || left=$((left + 1))
    done
    for name in $names; do
        WHY=$(auto_refusal "$name")
        if [ -z "$WHY" ] && ! is_line "$(edition "$name")" "$KNOWN_BLANK"; then
            # Each has its share of the time that is left.
            [ $left -gt 0 ] || left=1
            share=$((($1 - $(now) + left - 1) / left))
            [ $share -gt 0 ] || share=0
            blank_refusal "$name" $share
            left=$((left - 1))
        fi
        if [ -n "$WHY" ]; then
            because "$name" "$WHY"
            is_read_only "$name" || [ "$(size_of "$name")" -lt $MINIMUM ] || is_pluggable "$name" || USED="$USED $name"
        else
            BLANK="$BLANK $name"
            KNOWN_BLANK="$KNOWN_BLANK
$(edition "$name")"
        fi
    done
}

# use_labelled: use the only one of LABELLED, if there is only one. Fails when nothing is labelled.
use_labelled() {
    # shellcheck disable=SC2086  # a list of words
    set -- $LABELLED
    if [ $# -gt 1 ]; then
        fall_back "Several disks are labelled $STATE_LABEL ($*), and which one is meant is not
guessed." "$(help_choose "$@")
Or take the label from the others: \`e2label /dev/NAME ''\` in a running system."
    elif [ $# -eq 1 ]; then
        probe "/dev/$1"
        if is_ext4; then
            use_disk "$1" "it is labelled $STATE_LABEL"
        else
            fall_back "$1 is labelled $STATE_LABEL but holds $(contents), not just ext4." \
                "Another label lets another disk be taken. $(help_make "/dev/$1")"
        fi
    else
        return 1
    fi
}

# look_around: sets LABELLED, PLUGGED, BLANK, USED and REASONS by all devices that are there. Ends at once when one is
# LABELLED; else when nothing has come since it looked, and no longer any may.
look_around() {
    local start end seen patience rounds=0
    start=$(now)
    end=$((start + BLANK_TIMEOUT))
    KNOWN_BLANK=''
    # Disks on USB come when they like; others have been waited for when their driver was loaded.
    if [ -e /sys/bus/usb/devices/usb1 ]; then settle 3; else settle 1; fi
    while [ $rounds -lt 100 ]; do
        rounds=$((rounds + 1))
        REASONS='' BLANK='' USED=''
        seen=$(editions)
        find_labelled
        [ -z "$LABELLED" ] || return 0
        # One that is labelled and yet not taken is perhaps the node's after all, so no other one is made.
        [ -n "$REQUIRED$PLUGGED" ] || find_blank $end
        if [ -n "$REQUIRED" ]; then
            patience=${STATE_WAIT:-$WAIT}
        elif [ -n "$BLANK" ] && [ "${BLANK# * }" = "$BLANK" ]; then
            patience=${STATE_WAIT:-$PATIENCE}
        else
            patience=${STATE_WAIT:-0}
        fi
        if [ $(($(now) - start)) -lt "$patience" ]; then
            info "waiting up to $patience seconds for a disk labelled $STATE_LABEL"
        fi
        while load_drivers && [ "$(editions)" = "$seen" ]; do
            [ $(($(now) - start)) -lt "$patience" ] || return 0
            sleep 0.2
        done
    done
    # Devices that come and go all the time: what is here now is nobody's.
    BLANK=''
}

fall_back_plugged() {
    fall_back "No disk that livecd.state=auto takes is labelled $STATE_LABEL." "If it is this machine's, name it on the kernel command line as it says there."
}

set_up_auto() {
    look_around
    ! use_labelled || return 0
    if [ -n "$PLUGGED" ]; then
        fall_back_plugged
        return
    fi
    [ -z "$REQUIRED" ] || fall_back "No disk labelled $STATE_LABEL has appeared within ${STATE_WAIT:-$WAIT} seconds. These devices are
there:
$(describe_devices)" "A slow device may need a larger livecd.state_wait=SECONDS. livecd.state=auto
without \"required\" starts a new system on a blank disk, or in memory.
$(help_make /dev/NAME)"
    # shellcheck disable=SC2086  # a list of words
    set -- $BLANK
    case $# in
        0)
            # shellcheck disable=SC2086  # a list of words
            set -- $USED
            [ $# -eq 1 ] || set -- NAME
            fall_back "There is no disk labelled $STATE_LABEL, and none that is blank." \
                "A blank disk, zero from its first byte to its last, is taken as it is.
$(help_make "/dev/$1")"
            ;;
        1)
            info "$1 ($(human "$(size_of "$1")")) is blank and becomes the state disk"
            # Saying so takes its time on a serial line.
            find_labelled
            if [ -z "$LABELLED$PLUGGED" ]; then format_disk "$1"; else use_labelled || fall_back_plugged; fi
            ;;
        *)
            fall_back "Several disks are blank ($*), and which one is meant is not guessed." "$(help_choose "$@")
Or run in this system, and start it again: mkfs.ext4 -L $STATE_LABEL /dev/$1"
            ;;
    esac
}

# --- livecd.state=NAME -------------------------------------------------------------------------------------------------

# find_named: sets NAMED to the devices that STATE names, which may be none or several.
find_named() {
    local name
    NAMED=''
    for name in $(devices); do
        ! goes_by "$name" "$STATE" || NAMED="$NAMED $name"
    done
}

# describe_names: the names of all devices but the kernel's, a line each, for messages.
describe_names() {
    local name
    for name in $(devices); do
        printf '%s\n' "$(names_in id "$name")" | sed "/./!d; s|^|  /dev/disk/by-id/|; s|\$| ($name)|"
    done
}

set_up_named() {
    local start why names
    start=$(now)
    while find_named && [ -z "$NAMED" ]; do
        if [ $(($(now) - start)) -ge "${STATE_WAIT:-$WAIT}" ]; then
            names=$(describe_names)
            fall_back "The state disk $STATE has not appeared within ${STATE_WAIT:-$WAIT} seconds. These devices are
there:
$(describe_devices)${names:+
$names}" "A slow device may need a larger livecd.state_wait=SECONDS. livecd.state=auto on
the kernel command line takes the one labelled $STATE_LABEL."
            return
        fi
        sleep 0.5
        load_drivers
    done
    # shellcheck disable=SC2086  # a list of words
    set -- $NAMED
    if [ $# -gt 1 ]; then
        fall_back "Several devices are $STATE ($*), and which one is meant is not guessed." "$(help_choose "$@")"
        return
    fi
    probe "/dev/$1"
    if is_ext4; then
        use_disk "$1" "livecd.state=$STATE names it"
        return
    fi
    why=$(refusal "$1")
    if [ -z "$why" ] && [ -n "$REQUIRED" ] && ! is_lasting "$STATE"; then
        why="holds no file system, and the kernel may have called another disk so before: with
\"required\", only a name that lasts lets it be formatted, as $(best_name "$1")"
    elif [ -z "$why" ]; then
        blank_refusal "$1"
        why=$WHY
    fi
    if [ -z "$why" ]; then
        info "$1 ($(human "$(size_of "$1")")) is blank and becomes the state disk"
        format_disk "$1"
        return
    fi
    case $STATE in
        LABEL=*) names=$(help_make "/dev/$1" "${STATE#LABEL=}") ;;
        UUID=*) names="livecd.state= takes another name then, as its UUID becomes another one.
$(help_make "/dev/$1")" ;;
        *) names=$(help_make "/dev/$1") ;;
    esac
    fall_back "The state disk $1, named by livecd.state=$STATE, was not touched: it
$why. Only ext4 or a blank disk is used." "$names"
}

set_up_state() {
    case $STATE in
        *,required)
            REQUIRED=yes
            STATE=${STATE%,required}
            ;;
    esac
    case $STATE$REQUIRED in
        noneyes) fail "livecd.state=none,required contradicts itself: with none, there is no state." ;;
        # Perhaps "required" was meant.
        *,*) fail "livecd.state=$STATE: behind a comma, only \"required\" can stand." ;;
    esac
    case $STATE in
        auto) set_up_auto ;;
        none)
            use_memory "livecd.state=none"
            info "changes are kept in memory (livecd.state=none)"
            ;;
        *)
            if is_name "$STATE"; then
                set_up_named
            else
                fall_back "livecd.state=$STATE is none of auto, none, LABEL=.., UUID=.., PARTLABEL=.., PARTUUID=..,
ID=.., SERIAL=.. and /dev/.. ." "Correct it on the kernel command line."
            fi
            ;;
    esac
}
