# shellcheck shell=dash
# Names of disks and partitions, as a person gives them in livecd.state= and root=:
#
#   LABEL=.. UUID=.. PARTLABEL=.. PARTUUID=.. ID=..   as in fstab(5)
#   SERIAL=..                                         a whole disk's serial number
#   /dev/disk/by-*/..                                 as the running system has them
#   /dev/..                                           the kernel's own name, which may be another disk's at the next start
#
# There is no udev here, so names below /dev/disk are made from what the kernel says of a device, by udev's rules
# (60-persistent-storage.rules, ata_id, scsi_id, usb_id, path_id).

# is_word TEXT LONGEST: whether it has characters of names only, at least one and at most LONGEST.
is_word() {
    case $1 in
        '' | *[!A-Za-z0-9_.:+@=#-]*) return 1 ;;
    esac
    [ ${#1} -le "$2" ]
}

# is_name TEXT: whether it is a name of one of these kinds. StateDisk in assembler/recipe/shapes.py says the same.
is_name() {
    local value=${1#*=}
    case $1 in
        LABEL=*) is_word "$value" 16 ;;
        PARTLABEL=*) is_word "$value" 36 ;;
        UUID=* | PARTUUID=*)
            case $value in
                *[!0-9A-Fa-f-]*) return 1 ;;
            esac
            [ ${#value} -ge 4 ] && [ ${#value} -le 36 ]
            ;;
        ID=* | SERIAL=* | serial=*) is_word "$value" 255 ;;
        /dev/*)
            case ${1#/dev/} in
                '' | *[!A-Za-z0-9_./:+@=#-]*) return 1 ;;
            esac
            [ ${#1} -le 255 ]
            ;;
        *) return 1 ;;
    esac
}

# is_lasting NAME: whether it is the same disk's at each start. The kernel's own are given in the order of appearance.
is_lasting() {
    case $1 in
        /dev/disk/*) return 0 ;;
        /dev/*) return 1 ;;
    esac
}

# underscores: what udev makes of text in names: no spaces around it, one _ for each run of them within, and one for every
# character that is not allowed.
underscores() {
    tr -d '\000' | sed 's/^[[:space:]]*//; s/[[:space:]]*$//; s/[[:space:]][[:space:]]*/_/g; s/[^A-Za-z0-9#+.:=@_-]/_/g'
}

# attribute NAME FILE: what the kernel says of a device, with _ for spaces; nothing when it says nothing.
attribute() {
    [ ! -r "/sys/class/block/$1/$2" ] || underscores <"/sys/class/block/$1/$2" 2>/dev/null
}

# bytes FILE OFFSET LENGTH: text at a place in a page of a SCSI device's vital product data; nothing when it is too short.
bytes() {
    dd if="$1" bs=1 skip="$2" count="$3" 2>/dev/null | underscores
}

# number FILE OFFSET: the byte there; nothing when there is none. hexdump itself would skip none of a file in sysfs, whose
# length it takes for 0.
number() {
    dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | hexdump -e '1/1 "%d"'
}

# usb_of NAME: where the kernel has the USB device that a disk is in; nothing when it is in none.
usb_of() {
    local path
    path=$(readlink -f "/sys/class/block/$1")
    while [ "${path#*/devices/}" != "$path" ]; do
        if [ -e "$path/idVendor" ]; then
            echo "$path"
            return
        fi
        path=${path%/*}
    done
}

# is_ata NAME: whether a SCSI disk's page 83h is that of libata: two descriptors at fixed places.
is_ata() {
    [ "$(bytes "/sys/class/block/$1/device/vpd_pg83" 32 8)" = ATA ]
}

# serial_of NAME: the serial number of a whole disk.
serial_of() {
    local device=/sys/class/block/$1/device usb
    case $1 in
        vd*) attribute "$1" serial ;;
        sd* | sr*)
            usb=$(usb_of "$1")
            if [ -n "$usb" ]; then
                [ ! -r "$usb/serial" ] || underscores <"$usb/serial"
            elif is_ata "$1"; then
                bytes "$device/vpd_pg83" 80 20
            elif [ -r "$device/vpd_pg80" ]; then
                bytes "$device/vpd_pg80" 4 252
            fi
            ;;
        *) attribute "$1" device/serial ;;
    esac
}

# scsi_ids NAME: names in by-id of a disk that the kernel drives as a SCSI one, a line each.
scsi_ids() {
    local device=/sys/class/block/$1/device wwid serial usb
    serial=$(serial_of "$1")
    wwid=$(attribute "$1" device/wwid)
    usb=$(usb_of "$1")
    if [ -n "$usb" ]; then
        # The host's number is not in it: it would be another one at each start.
        usb=$(readlink -f "$device")
        usb=${usb##*/}
        [ -z "$serial" ] ||
            echo "usb-$(attribute "$1" device/vendor)_$(attribute "$1" device/model)_$serial-$(echo "$usb" | cut -d : -f 3-4)"
    elif is_ata "$1"; then
        echo "ata-$(bytes "$device/vpd_pg83" 40 40)_$serial"
    else
        case $wwid in
            naa.*) echo "scsi-3${wwid#naa.}" ;;
            eui.*) echo "scsi-2${wwid#eui.}" ;;
            *)
                # An identifier of the vendor's own (SPC-4, 7.8.6.3), in ASCII, is one together with vendor and model.
                if [ "$(number "$device/vpd_pg83" 4)" = 2 ] && [ "$(number "$device/vpd_pg83" 5)" = 0 ]; then
                    serial=$({
                        head -c 8 "$device/vendor"
                        head -c 16 "$device/model"
                        dd if="$device/vpd_pg83" bs=1 skip=8 count="$(number "$device/vpd_pg83" 7)" 2>/dev/null
                    } | tr '\n' ' ' | underscores)
                    echo "scsi-0$serial"
                fi
                ;;
        esac
    fi
    case $wwid in
        naa.*) echo "wwn-0x${wwid#naa.}" ;;
    esac
}

# disk_ids NAME: a whole disk's names in /dev/disk/by-id, a line each.
disk_ids() {
    local serial model wwid
    case $1 in
        sd* | sr*)
            scsi_ids "$1"
            return
            ;;
    esac
    serial=$(serial_of "$1")
    case $1 in
        vd*) [ -z "$serial" ] || echo "virtio-$serial" ;;
        nvme*)
            model=$(attribute "$1" device/model)
            wwid=$(attribute "$1" wwid)
            if [ -n "$model" ] && [ -n "$serial" ]; then
                printf '%s\n' "nvme-${model}_$serial" "nvme-${model}_${serial}_$(attribute "$1" nsid)"
            fi
            [ -z "$wwid" ] || echo "nvme-$wwid"
            ;;
        mmcblk*)
            model=$(attribute "$1" device/name)
            [ -z "$serial" ] || echo "mmc-${model}_$serial"
            ;;
    esac
}

# disk_paths NAME: a whole disk's names in /dev/disk/by-path, a line each, where it is on PCI and not on USB.
disk_paths() {
    local path pci='' part ata='' device
    [ -z "$(usb_of "$1")" ] || return 0
    path=$(readlink -f "/sys/class/block/$1")
    device=$(readlink -f "/sys/class/block/$1/device")
    device=${device##*/}
    set -f
    # shellcheck disable=SC2046  # a list of words
    for part in $(echo "$path" | tr / ' '); do
        case $part in
            ????:??:??.?) pci=$part ;;
            ata[0-9]*) ata=$(cat "${path%"/$part/"*}/$part/ata_port/$part/port_no" 2>/dev/null) ;;
        esac
    done
    set +f
    [ -n "$pci" ] || return 0
    case $1 in
        vd*) printf '%s\n' "pci-$pci" "virtio-pci-$pci" ;;
        nvme*) echo "pci-$pci-nvme-$(attribute "$1" nsid)" ;;
        sd* | sr*)
            if [ -n "$ata" ]; then
                printf '%s\n' "pci-$pci-ata-$ata" "pci-$pci-ata-$ata.$(echo "$device" | cut -d : -f 3)"
            else
                echo "pci-$pci-scsi-0:$(echo "$device" | cut -d : -f 2-4)"
            fi
            ;;
    esac
}

# names_in KIND NAME: the names in /dev/disk/by-KIND (id or path) of a disk or partition, a line each.
names_in() {
    local disk suffix='' name
    disk=$(disk_of "$2")
    [ "$disk" = "$2" ] || suffix=-part$(attribute "$2" partition)
    "disk_${1}s" "$disk" | while IFS= read -r name; do
        echo "$name$suffix"
    done
}

# is_line LINE TEXT: whether TEXT has this line.
is_line() {
    case "
$2
" in
        *"
$1
"*) return 0 ;;
    esac
    return 1
}

# same_number A B: whether these are the same hexadecimal digits, large or small.
same_number() {
    [ "$1" = "$2" ] || [ "$(echo "$1" | tr A-F a-f)" = "$(echo "$2" | tr A-F a-f)" ]
}

# goes_by DEVICE NAME: whether NAME is one of this device's. What `probe` has found is another's afterwards.
goes_by() {
    local value=${2#*=}
    case $2 in
        # What has no label has not an empty one.
        *=) return 1 ;;
        /dev/disk/by-label/*) goes_by "$1" "LABEL=${2#/dev/disk/by-label/}" ;;
        /dev/disk/by-uuid/*) goes_by "$1" "UUID=${2#/dev/disk/by-uuid/}" ;;
        /dev/disk/by-partlabel/*) goes_by "$1" "PARTLABEL=${2#/dev/disk/by-partlabel/}" ;;
        /dev/disk/by-partuuid/*) goes_by "$1" "PARTUUID=${2#/dev/disk/by-partuuid/}" ;;
        /dev/disk/by-id/*) goes_by "$1" "ID=${2#/dev/disk/by-id/}" ;;
        /dev/disk/by-path/*) is_line "${2#/dev/disk/by-path/}" "$(names_in path "$1")" ;;
        /dev/*) [ "$2" = "/dev/$1" ] ;;
        ID=*) is_line "$value" "$(names_in id "$1")" ;;
        SERIAL=* | serial=*) [ "$(disk_of "$1")" = "$1" ] && [ "$(serial_of "$1")" = "$value" ] ;;
        LABEL=*) probe "/dev/$1" && [ "$PROBE_LABEL" = "$value" ] ;;
        UUID=*) probe "/dev/$1" && [ -n "$PROBE_UUID" ] && same_number "$PROBE_UUID" "$value" ;;
        PARTLABEL=*) probe "/dev/$1" && [ "$PROBE_PARTLABEL" = "$value" ] ;;
        PARTUUID=*) probe "/dev/$1" && [ -n "$PROBE_PARTUUID" ] && same_number "$PROBE_PARTUUID" "$value" ;;
        *) return 1 ;;
    esac
}

# best_name DEVICE: a name for it that lasts, if there is one; else the kernel's.
best_name() {
    local name
    for name in $(names_in id "$1"); do
        echo "/dev/disk/by-id/$name"
        return
    done
    for name in $(names_in path "$1"); do
        echo "/dev/disk/by-path/$name"
        return
    done
    echo "/dev/$1"
}
