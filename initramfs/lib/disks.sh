# shellcheck shell=dash
# Block devices as the kernel and their contents show them. Nothing here writes to one, mounts one or replays a journal.
# Devices go by their kernel name (vda, sda1), which is their name in /sys/class/block and in /dev.

# Seconds since the machine started; a clock that nobody sets meanwhile.
now() {
    local uptime _
    read -r uptime _ </proc/uptime
    echo "${uptime%%.*}"
}

# The names of all devices that could be a medium or a disk: whole ones first, then partitions.
devices() {
    local path name partitions=''
    for path in /sys/class/block/*; do
        name=${path##*/}
        case $name in
            '*' | loop* | ram* | zram* | fd* | dm-* | md* | nbd*) continue ;;
        esac
        if [ -e "$path/partition" ]; then
            partitions="$partitions $name"
        else
            echo "$name"
        fi
    done
    set -f
    # shellcheck disable=SC2086  # a list of words
    [ -z "$partitions" ] || printf '%s\n' $partitions
    set +f
}

# settle SECONDS: wait until no device has come or gone for so long, at most ten times that.
settle() {
    local before after quiet=0 rounds=0
    before=$(devices)
    while [ "$quiet" -lt $(($1 * 5)) ] && [ "$rounds" -lt $(($1 * 50)) ]; do
        sleep 0.2
        load_drivers
        after=$(devices)
        rounds=$((rounds + 1))
        quiet=$((quiet + 1))
        [ "$before" = "$after" ] || quiet=0
        before=$after
    done
}

# disk_of NAME: the whole disk that a partition is on; a whole disk's own name.
disk_of() {
    local path
    if [ -e "/sys/class/block/$1/partition" ]; then
        path=$(readlink -f "/sys/class/block/$1")
        path=${path%/*}
        echo "${path##*/}"
    else
        echo "$1"
    fi
}

# edition NAME: a word for the device as long as it is the same one, with the same medium in it.
edition() {
    local number=''
    read -r number 2>/dev/null <"/sys/class/block/$(disk_of "$1")/diskseq" || :
    echo "$1:$number"
}

# editions: the same for all devices that are there, a line each.
editions() {
    local name
    for name in $(devices); do
        edition "$name"
    done
}

# has_partitions NAME: whether the kernel sees any.
has_partitions() {
    local path
    for path in "/sys/class/block/$1"/*/partition; do
        [ ! -e "$path" ] || return 0
    done
    return 1
}

# is_held NAME: whether device mapper, md or the like uses it.
is_held() {
    local path
    for path in "/sys/class/block/$1"/holders/*; do
        [ ! -e "$path" ] || return 0
    done
    return 1
}

# is_pluggable NAME: whether it is on USB, or its medium or the device it is on can be taken out as it runs: whoever comes
# by can bring such a disk, or leave with it.
is_pluggable() {
    local path removable
    path=$(readlink -f "/sys/class/block/$(disk_of "$1")")
    case $path in
        */usb[0-9]*) return 0 ;;
    esac
    # A disk says 1 (sysfs-block), a device on PCI "removable" (sysfs-devices-removable).
    while [ "${path#/sys/devices/}" != "$path" ]; do
        removable=''
        read -r removable 2>/dev/null <"$path/removable" || :
        case $removable in
            1 | removable) return 0 ;;
        esac
        path=${path%/*}
    done
    return 1
}

is_read_only() {
    local value=1
    read -r value 2>/dev/null <"/sys/class/block/$1/ro" || :
    [ "$value" != 0 ]
}

# size_of NAME: bytes.
size_of() {
    local sectors=0
    read -r sectors 2>/dev/null <"/sys/class/block/$1/size" || :
    echo $((sectors * 512))
}

# human BYTES
human() {
    local mib=$(($1 / 1048576))
    if [ $mib -ge 10240 ]; then
        echo "$((mib / 1024)) GiB"
    else
        echo "$mib MiB"
    fi
}

# probe FILE: look for signatures of file systems, RAID, LVM, encryption and partition tables. Sets PROBE_TYPE,
# PROBE_LABEL, PROBE_UUID, PROBE_TABLE, for a partition what its table calls it, PROBE_PARTLABEL and PROBE_PARTUUID (all
# empty when there is none), and PROBE_STATUS, which is blkid's: 0 found, 2 nothing found or not readable, 8 several that
# contradict each other.
probe() {
    local output key value
    PROBE_TYPE='' PROBE_LABEL='' PROBE_UUID='' PROBE_TABLE='' PROBE_PARTLABEL='' PROBE_PARTUUID=''
    output=$(blkid -p -o export "$1" 2>/dev/null)
    PROBE_STATUS=$?
    while IFS='=' read -r key value; do
        case $key in
            TYPE) PROBE_TYPE=$value ;;
            LABEL) PROBE_LABEL=$value ;;
            UUID) PROBE_UUID=$value ;;
            PTTYPE) PROBE_TABLE=$value ;;
            PART_ENTRY_NAME) PROBE_PARTLABEL=$value ;;
            PART_ENTRY_UUID) PROBE_PARTUUID=$value ;;
        esac
    done <<END
$output
END
    return 0
}

# is_ext4: whether what `probe` has found is that and nothing else.
is_ext4() {
    [ "$PROBE_STATUS" = 0 ] && [ "$PROBE_TYPE" = ext4 ] && [ -z "$PROBE_TABLE" ]
}

# is_unsigned: whether `probe` has found nothing. A partition's entry in its table is a find of no interest here.
is_unsigned() {
    case $PROBE_STATUS in
        0 | 2) [ -z "$PROBE_TYPE$PROBE_TABLE" ] ;;
        *) return 1 ;;
    esac
}

# What `probe` has found, for a person.
contents() {
    if [ "$PROBE_STATUS" = 8 ]; then
        echo "several signatures that contradict each other"
    elif [ -n "$PROBE_TYPE" ] && [ -n "$PROBE_LABEL" ]; then
        echo "$PROBE_TYPE labelled $PROBE_LABEL"
    elif [ -n "$PROBE_TYPE" ]; then
        echo "$PROBE_TYPE"
    elif [ -n "$PROBE_TABLE" ]; then
        echo "a partition table ($PROBE_TABLE)"
    else
        echo "no known signature"
    fi
}

# Every device with its size and contents, a line each, for messages.
describe_devices() {
    local name
    for name in $(devices); do
        probe "/dev/$name"
        echo "  $name: $(human "$(size_of "$name")"), $(contents)"
    done
}
