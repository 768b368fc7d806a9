# shellcheck shell=dash
# Saying things to whoever watches: on every console of the kernel (a screen and serial lines), in /run/livecd/log, and
# in the kernel's log, from where they reach the journal.

CONSOLES=console
# Set by open_log; until then /dev/console, which the kernel has opened for us.

open_log() {
    local active
    if read -r active </sys/class/tty/console/active; then
        CONSOLES=$active
    fi
    # What we say must not be lost to the limit on /dev/kmsg; systemd lifts it as well.
    echo on 2>/dev/null >/proc/sys/kernel/printk_devkmsg || :
}

# show TEXT: on every console.
show() {
    local console
    for console in $CONSOLES; do
        printf '%s\n' "$1" 2>/dev/null >"/dev/$console" || :
    done
}

# keep TEXT: in the logs, line by line. Level 7 (debug) is on no console, where `show` has shown it already.
keep() {
    local line
    printf '%s\n' "$1" >>/run/livecd/log
    printf '%s\n' "$1" | while IFS= read -r line; do
        printf '<7>livecd: %s\n' "$line" 2>/dev/null >/dev/kmsg || :
    done
}

info() {
    keep "$1"
    [ -n "$QUIET" ] || show "livecd: $1"
}

warn() {
    keep "warning: $1"
    show "livecd: warning: $1"
}

# notice TEXT: several lines that nobody should miss, and which are shown again at every login.
notice() {
    local rule='***************************************************************************'
    keep "$1"
    show "
$rule
$1
$rule
"
    mkdir -p /run/motd.d /run/issue.d
    # pam_motd(8) shows the one after login, agetty(8) the other before it.
    printf '%s\n\n' "$1" | tee -a /run/motd.d/livecd >>/run/issue.d/livecd.issue
}

# fail TEXT: the live system cannot start. Never returns: a shell when the user asked for one, a reboot when panic= says
# so, else the message stays until somebody comes.
fail() {
    trap - EXIT
    set +u
    local console seconds=0 after
    keep "failed: $1"
    read -r seconds 2>/dev/null </proc/sys/kernel/panic || :
    if [ -n "$RESCUE" ]; then
        after="A rescue shell follows. \`reboot -f\` starts the machine anew."
    elif [ "$seconds" -ne 0 ]; then
        after="The machine restarts in ${seconds#-} seconds (panic= on the kernel command line)."
    else
        after="Switch the machine off or reset it. With livecd.rescue on the kernel
command line, a shell is started here instead."
    fi
    for console in $CONSOLES; do
        case $console in
            # A screen is cleared; a serial line is often a file that somebody keeps.
            tty[0-9]*) printf '\033[2J\033[H' 2>/dev/null >"/dev/$console" || : ;;
        esac
    done
    show "
===========================================================================
 THE LIVE SYSTEM CANNOT START

$1

$after
==========================================================================="
    sync
    if [ -n "$RESCUE" ]; then
        rescue
    elif [ "$seconds" -ne 0 ]; then
        sleep "${seconds#-}"
        reboot -f
    fi
    while :; do
        sleep 3600
    done
}

# A shell on every console, each started again when it ends. Never returns.
rescue() {
    local console
    for console in $CONSOLES; do
        # The foreground terminal stands for the screen: tty0 itself cannot control a session.
        [ "$console" = tty0 ] && console=tty1
        while :; do
            setsid -c sh -i <"/dev/$console" >"/dev/$console" 2>&1
            sleep 1
        done &
    done
    while :; do
        wait
        sleep 3600
    done
}
