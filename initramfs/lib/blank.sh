# shellcheck shell=dash
# Whether a disk is blank: whether each of its bytes can be read and is zero. Nothing less will do. "No signature at the
# start" is not enough, and neither are samples: a file system may begin anywhere on a disk.

MIB=1048576
UNIT=65536
# Bytes that badblocks compares at once; it counts them with 32 bits, so this is enough for 256 TiB.

# zeros FILE OFFSET LENGTH: whether these bytes (LENGTH a multiple of 16, at least 48) can be read and are all zero.
# hexdump shows repeated lines as one *, so zeros are exactly three lines, of which the last is the end's address; a read
# that fails or comes up short ends at another one.
zeros() {
    local found expected
    found=$(hexdump -s "$2" -n "$3" "$1" 2>/dev/null | head -n 3)
    expected=$(printf '%07x 0000 0000 0000 0000 0000 0000 0000 0000\n*\n%07x' "$2" $(($2 + $3)))
    [ "$found" = "$expected" ]
}

# zero_units FILE FIRST COUNT [SECONDS]: whether these units can be read and are all zero, within SECONDS. badblocks
# without -w and -n only reads. What it says at the end of a clean pass has to be there: no other end is taken for it.
zero_units() {
    local said
    said=$(${4:+timeout "$4"} badblocks -v -e 1 -b $UNIT -c 64 -t 0 "$1" $(($2 + $3 - 1)) "$2" 2>&1)
    case $said in
        *"Pass completed, 0 bad blocks found. (0/0/0 errors)") return 0 ;;
        *) return 1 ;;
    esac
}

# is_blank FILE SIZE [SECONDS]: whether FILE, SIZE bytes long, has been read to its end and is zero throughout. Status 1:
# it is not; 2: SECONDS were not enough to tell, and BLANK_READ is how many bytes were zero. It says how far it is.
is_blank() {
    local file=$1 size=$2 limit=${3:-} units start before after said at=0 step=1024 left=''
    BLANK_READ=0
    units=$((size / UNIT))
    [ $units -gt 0 ] || return 1
    # The end first: the second GPT, headers of RAID and file systems. Whoever has data there need not wait.
    if [ $((size % UNIT)) -ne 0 ]; then
        zeros "$file" $((units * UNIT)) $((size % UNIT)) || return 1
    fi
    start=$(now)
    said=$start
    while [ $at -lt $units ]; do
        before=$(now)
        if [ -n "$limit" ]; then
            left=$((limit - (before - start)))
            [ $left -gt 0 ] || return 2
        fi
        [ $((at + step)) -le $units ] || step=$((units - at))
        if ! zero_units "$file" $at $step "$left"; then
            after=$(now)
            [ -z "$limit" ] || [ $((after - start)) -lt "$limit" ] || return 2
            return 1
        fi
        at=$((at + step))
        BLANK_READ=$((at * UNIT))
        after=$(now)
        # Parts of a few seconds each, however fast the disk is.
        [ $((after - before)) -ge 2 ] || step=$((step * 2))
        if [ $((after - said)) -ge 10 ]; then
            info "${file#/dev/}: $(human $BLANK_READ) of $(human "$size") read, all zero so far"
            said=$after
        fi
    done
}
