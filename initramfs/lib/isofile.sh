# shellcheck shell=dash
# A medium that is a file: the ISO on a stick or disk, as GRUB's loopback and tools like it start it. ISO_FILE is its path
# there (findiso= or iso-scan/filename= on the kernel command line).
#
# The file system is mounted read-only for as long as the system runs, and without replaying a journal, so nothing on it
# changes.

FILE_FOLDER=/run/initramfs/isodevice
WITHOUT_FILE=''
# Devices that do not have the file, so that each is looked at only once.

# quiet_options TYPE: how a file system of this type is mounted without being written to; fails for what is none that people
# keep files on.
quiet_options() {
    case $1 in
        ext[234]) echo ro,noload,nodev,nosuid,noexec ;;
        xfs) echo ro,norecovery,nodev,nosuid,noexec ;;
        btrfs) echo ro,rescue=nologreplay,nodev,nosuid,noexec ;;
        vfat | exfat | ntfs | udf | iso9660) echo ro,nodev,nosuid,noexec ;;
        *) return 1 ;;
    esac
}

# is_inside FOLDER PATH: whether PATH is a file there, where links do not lead out of FOLDER.
is_inside() {
    local real
    real=$(readlink -f "$1/$2")
    [ -f "$real" ] && [ "${real#"$1"/}" != "$real" ]
}

# mount_file_system NAME: mount what is on the device, if it has ISO_FILE.
mount_file_system() {
    local options type
    probe "/dev/$1"
    [ "$PROBE_STATUS" = 0 ] && [ -z "$PROBE_TABLE" ] && options=$(quiet_options "$PROBE_TYPE") || return 1
    type=$PROBE_TYPE
    [ "$type" != ntfs ] || type=ntfs3
    mkdir -p $FILE_FOLDER
    mount -t "$type" -o "$options" "/dev/$1" $FILE_FOLDER 2>>/run/livecd/log || return 1
    is_inside $FILE_FOLDER "$ISO_FILE" && return 0
    umount $FILE_FOLDER
    return 1
}

# try_file NAME: mount the medium if the device has it as a file. Sets LOOP to the loop device.
try_file() {
    ! is_line "$(edition "$1")" "$WITHOUT_FILE" || return 1
    if mount_file_system "$1"; then
        LOOP=$(losetup -f)
        if losetup -r "$LOOP" "$FILE_FOLDER/${ISO_FILE#/}" 2>>/run/livecd/log; then
            ! try_medium "${LOOP#/dev/}" || return 0
            losetup -d "$LOOP"
        fi
        MEDIUM_TROUBLE="$1 has the file $ISO_FILE, yet it is not the medium.
$MEDIUM_TROUBLE"
        umount $FILE_FOLDER
    fi
    WITHOUT_FILE="$WITHOUT_FILE
$(edition "$1")"
    return 1
}

# Without MEDIUM, nothing says which of several files of one name is meant.
check_file_alone() {
    local name folder=$FILE_FOLDER
    FILE_FOLDER=/run/initramfs/other
    for name in $(devices); do
        [ "$name" != "$1" ] && mount_file_system "$name" || continue
        umount $FILE_FOLDER
        fail "$ISO_FILE is on $1 and on $name, and which one is meant is not guessed.
livecd.medium= on the kernel command line says so, as the medium's own
/boot/grub/grub.cfg does. Or take the other out."
    done
    FILE_FOLDER=$folder
}

# let_go_of_file: the system no longer needs it.
let_go_of_file() {
    losetup -d "$LOOP"
    umount $FILE_FOLDER
}
