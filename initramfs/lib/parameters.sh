# shellcheck shell=dash
# What to do, from /etc/livecd.conf and the kernel command line. Values are data: nothing here is evaluated.

LABEL='' ROOT='' STATE='' STATE_LABEL='' WAIT=30 INIT=/sbin/init RESCUE='' QUIET=''

# set_parameter NAME VALUE
set_parameter() {
    case $1 in
        label) LABEL=$2 ;;
        state) STATE=$2 ;;
        state_label) STATE_LABEL=$2 ;;
        wait)
            case $2 in
                '' | *[!0-9]* | ?????*) warn "livecd.wait=$2 is not a number of seconds; waiting $WAIT" ;;
                *) WAIT=$2 ;;
            esac
            ;;
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
            livecd.label=* | livecd.state=* | livecd.wait=*)
                word=${word#livecd.}
                set_parameter "${word%%=*}" "${word#*=}"
                ;;
            root=*) ROOT=${word#root=} ;;
            rescue | livecd.rescue) RESCUE=yes ;;
            init=/*) INIT=${word#init=} ;;
            quiet) QUIET=yes ;;
        esac
    done
    set +f
}
