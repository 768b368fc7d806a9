# shellcheck shell=dash
# What to do, from /etc/livecd.conf and the kernel command line. Values are data: nothing here is evaluated.

LABEL='' MEDIUM='' ROOT='' STATE='' STATE_LABEL='' WAIT=30 STATE_WAIT='' BLANK_TIMEOUT=120
ISO_FILE='' TORAM='' INIT=/sbin/init RESCUE='' QUIET=''

# set_parameter NAME VALUE
set_parameter() {
    case $1 in
        label) LABEL=$2 ;;
        state) STATE=$2 ;;
        state_label) STATE_LABEL=$2 ;;
        medium) MEDIUM=$2 ;;
        wait) if is_seconds "$2"; then WAIT=$2; else warn "livecd.wait=$2 is not a number of seconds; waiting $WAIT"; fi ;;
        state_wait)
            if is_seconds "$2"; then STATE_WAIT=$2; else warn "livecd.state_wait=$2 is not a number of seconds"; fi
            ;;
        blank_timeout)
            if is_seconds "$2"; then
                BLANK_TIMEOUT=$2
            else
                warn "livecd.blank_timeout=$2 is not a number of seconds; reading for $BLANK_TIMEOUT"
            fi
            ;;
    esac
}

# is_seconds VALUE: whether it is a number that seconds can be given as.
is_seconds() {
    case $1 in
        '' | *[!0-9]* | ?????*) return 1 ;;
    esac
}

read_parameters() {
    local line word
    while read -r line; do
        set_parameter "${line%%=*}" "${line#*=}"
    done </etc/livecd.conf
    read -r line </proc/cmdline || :
    set -f # words may hold *
    for word in $line; do
        case $word in
            --) break ;;
            livecd.label=* | livecd.medium=* | livecd.state=* | livecd.wait=* | livecd.state_wait=* | livecd.blank_timeout=*)
                word=${word#livecd.}
                set_parameter "${word%%=*}" "${word#*=}"
                ;;
            # As live-boot, and as casper and dracut call it.
            findiso=?* | iso-scan/filename=?*) ISO_FILE=${word#*=} ;;
            livecd.toram | toram) TORAM=yes ;;
            root=*) ROOT=${word#root=} ;;
            rescue | livecd.rescue) RESCUE=yes ;;
            init=/*) INIT=${word#init=} ;;
            quiet) QUIET=yes ;;
        esac
    done
    set +f
}
