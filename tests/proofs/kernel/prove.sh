#!/bin/sh
# The slow proofs of compiled kernels; the tests compile a tiny one. Each takes half an hour of processor time or more.
#   scripts/kernel build        recipes/livecd-vanilla.toml, into build/kernel
#   scripts/kernel boot         that ISO starts with BIOS and UEFI, and has no failed unit; the time until login: is shown
#   scripts/kernel validate     kubeadm's own check of a kernel finds nothing wrong with its configuration (root, Go)
#   scripts/kernel reproduce    compiles it once more, elsewhere, with one job and without ccache: the same bytes
#   scripts/kernel arm64        compiles that of recipes/livecd-vanilla-arm64.toml; its ISO boots, and has no failed unit
set -eu
cd "$(dirname "$0")/../../.."
scripts/setup dev
out=$PWD/build/kernel
python=$PWD/.venv/bin/python

build() {
    "$python" -P -m assembler recipes/livecd-vanilla.toml --out "$out"
}

boot() {
    [ -e "$out/node.iso" ] || build
    scripts/test-tools build/tests/bin
    # Nobody signed it for Secure Boot.
    PATH="$PWD/build/tests/bin:$PATH" ASSEMBLE_TEST_OUT="$out" "$python" -P -m pytest -m boot --durations=0 -k 'not secure' \
        tests/boot/test_firmware.py tests/boot/test_services.py
}

validate() {
    [ -e "$out/config" ] || build
    # What the validator reads, and nothing else, so that it judges our configuration and not the host's.
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    mkdir -p "$root/proc" "$root/sys/fs/cgroup"
    gzip -c "$out/config" >"$root/proc/config.gz"
    echo "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0" >"$root/proc/mounts"
    (cd tests/proofs/kernel/validator && CGO_ENABLED=0 go build -trimpath -o "$root/validator" .)
    chroot "$root" /validator kernel
}

reproduce() {
    [ -e "$out/vmlinuz" ] || build
    store=$(mktemp -d)
    trap 'rm -rf "$store"' EXIT
    # A PATH without ccache, which would not compile anything again, and without what compiling does not reach.
    mkdir "$store/bin"
    for program in $(echo "$PATH" | tr : '\n' | sed 's,$,/*,'); do
        case $(readlink -f "$program") in "$HOME"/*) continue ;; esac
        [ "${program##*/}" = ccache ] || ln -s "$program" "$store/bin/" 2>/dev/null || :
    done
    PATH="$store/bin" "$python" -P -m assembler recipes/livecd-vanilla.toml --store "$store/somewhere/else" --jobs 1 \
        --out "$store/out"
    for file in vmlinuz config System.map; do
        cmp "$store/out/$file" "$out/$file"
    done
    echo "the same bytes"
}

arm64() {
    "$python" -P -m assembler recipes/livecd-vanilla-arm64.toml --out "$out-arm64"
    scripts/boot-arm64 --out "$out-arm64"
}

case "${1:-}" in
    build | boot | validate | reproduce | arm64) "$1" ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
