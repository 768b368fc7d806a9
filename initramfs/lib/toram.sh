# shellcheck shell=dash
# livecd.toram: what the system takes from the medium is copied into memory, and the medium let go.

SPARE=$((256 * 1024))
# KiB of memory that the system needs besides.

# available_memory: KiB.
available_memory() {
    sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo
}

# stay_on_medium REASON
stay_on_medium() {
    notice "THE MEDIUM MUST STAY IN THIS MACHINE, though livecd.toram was to let it go.

$1"
}

# copy_to_memory MEDIUM: copy what is in live/ there, which is what the system uses, and mount the copy in its place.
copy_to_memory() {
    local medium=$1 copy=/run/initramfs/copy needed available why=''
    needed=$(du -sk "$medium/live" 2>/dev/null)
    needed=${needed%%[!0-9]*}
    available=$(available_memory)
    if [ "${available:-0}" -lt $((needed + SPARE)) ]; then
        stay_on_medium "It holds $((needed / 1024)) MiB, of which a copy and $((SPARE / 1024)) MiB more have to fit into memory; $((${available:-0} / 1024)) MiB
are free."
        return 1
    fi
    info "copying $((needed / 1024)) MiB into memory"
    mkdir -p $copy
    # Folders and partly filled pages take their part.
    mount -t tmpfs -o "mode=0755,nosuid,nodev,noexec,size=$((needed + needed / 50 + 4096))k" tmpfs $copy ||
        fail "No memory for a temporary file system."
    if ! cp -a "$medium/live" $copy/ 2>>/run/livecd/log; then
        why="It could not be read to its end; dmesg says more."
    elif [ -n "$MEDIUM" ]; then
        # It is the copy that is used.
        why=$(differs $copy /run/livecd/SHA256SUMS)
    fi
    if [ -n "$why" ]; then
        umount $copy
        stay_on_medium "The copy was not used: $why"
        return 1
    fi
    umount "$medium" || fail "The medium cannot be let go."
    mount -o move $copy "$medium" || fail "The copy of the medium cannot be mounted in its place."
    rmdir $copy
}
