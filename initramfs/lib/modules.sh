# shellcheck shell=dash
# Loading kernel modules: what is always needed, and drivers for the hardware that is there.

KNOWN_HARDWARE=''

load_modules() {
    local name
    while read -r name; do
        # One that is missed later is reported then.
        modprobe -q "$name" 2>>/run/livecd/log || :
    done </etc/livecd.modules
    [ -f /etc/livecd.wanted ] || return 0
    while read -r name; do
        [ -d "/sys/module/$name" ] || warn "The module $name is not loaded. /run/livecd/log and dmesg may say why."
    done </etc/livecd.wanted
}

# Load drivers as udev would: each device says what it is (MODALIAS), modules.alias which module drives that. A driver
# brings further devices to light, so this goes on until there is nothing new. Cheap when nothing has changed.
load_drivers() {
    local hardware rounds=0
    while [ $rounds -lt 10 ]; do
        hardware=$(sed -n 's/^MODALIAS=//p' /sys/bus/*/devices/*/uevent 2>/dev/null | sort -u)
        [ "$hardware" != "$KNOWN_HARDWARE" ] || return 0
        KNOWN_HARDWARE=$hardware
        set -f # these may hold *
        # shellcheck disable=SC2086  # a list of words
        modprobe -a -b -q $hardware 2>>/run/livecd/log || :
        set +f
        rounds=$((rounds + 1))
    done
}
