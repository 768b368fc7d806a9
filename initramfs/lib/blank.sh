# shellcheck shell=dash
# Whether a disk is blank. "No signature at the start" is not enough: whoever lost the first sectors of a disk wants to
# get at its backups, so every place where a format keeps metadata must be zero as well.

MIB=1048576

# zeros FILE OFFSET LENGTH: whether these bytes (LENGTH a multiple of 16, at least 48) can be read and are all zero.
# hexdump shows repeated lines as one *, so zeros are exactly three lines, of which the last is the end's address; a read
# that fails or comes up short ends at another one.
zeros() {
    local found expected
    found=$(hexdump -s "$2" -n "$3" "$1" 2>/dev/null | head -n 3)
    expected=$(printf '%07x 0000 0000 0000 0000 0000 0000 0000 0000\n*\n%07x' "$2" $(($2 + $3)))
    [ "$found" = "$expected" ]
}

# zeros_within FILE SIZE OFFSET LENGTH: the same, for as much of it as lies within SIZE bytes.
zeros_within() {
    local start=$3 end=$(($3 + $4))
    [ $start -ge 0 ] || start=0
    [ $end -le "$2" ] || end=$2
    [ $((end - start)) -lt 48 ] || zeros "$1" $start $((end - start))
}

# is_blank FILE SIZE: whether FILE, SIZE bytes long, is zero in all of these places.
is_blank() {
    local file=$1 size=$2 part
    # The first 65 MiB: partition tables; superblocks of everything; LVM, bcache, LUKS and its second header, mdadm 1.1 and
    # 1.2, ZFS's first labels; the first backups of ext4 for blocks of 1 and 2 KiB (8 and 32 MiB) and of btrfs (64 MiB);
    # where most file systems' data begins.
    zeros_within "$file" "$size" 0 $((65 * MIB)) || return 1
    # The last 4 MiB: the second GPT, mdadm 0.90 and 1.0, firmware RAID, DRBD, ZFS's last labels, NTFS's and HFS+'s
    # second headers.
    zeros_within "$file" "$size" $((size - 4 * MIB)) $((4 * MIB)) || return 1
    # 64 KiB at each 32nd: the headers of XFS's allocation groups, of which there are 4, 16 or 32 of equal size, and
    # data of every kind.
    part=1
    while [ $part -lt 32 ]; do
        zeros_within "$file" "$size" $((size / 32 * part / 4096 * 4096)) 65536 || return 1
        part=$((part + 1))
    done
    # Backups of ext4 for blocks of 4 KiB, in the groups (of 128 MiB) that are powers of 3, 5 and 7; Ceph's labels (1, 10
    # and 100 GiB); the third superblock of btrfs (256 GiB).
    for part in 1 3 5 7 9 25 27 49 81 125 243 343 8 80 800 2048; do
        zeros_within "$file" "$size" $((part * 128 * MIB)) 65536 || return 1
    done
}
