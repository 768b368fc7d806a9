"""Programs that ask about a running system or change it, in a root file system where nothing runs.

They answer as in a chroot without /proc of its own, and without devices: start-stop-daemon(8) of dpkg 1.22, bootctl(1)
and systemd-detect-virt(1) of systemd 257, aa-status(8) of AppArmor 4, linux-version(1) of linux-base 4,
mountpoint(1) of util-linux 2.38 to 2.42.
"""

import re

from assembler.programs.inputs import look, options_of
from assembler.programs.options import UsageError, parse_options
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_DAEMON_OPTIONS = (
    "start|S stop|K status|T exec|x= startas|a= name|n= pidfile|p= pid= ppid= user|u= chuid|c= signal|s= retry|R="
    " oknodo|o quiet|q test|t verbose|v remove-pidfile"
    " background|b make-pidfile|m nicelevel|N= chdir|d= umask|k= group|g="
)
_MOUNTED = frozenset({"", "dev", "proc", "run", "sys", "tmp"})
_NOT_RUNNING = 3
"""The status of a daemon that does not run (LSB)."""


def start_stop_daemon(process: Process) -> int:
    """``start-stop-daemon --stop`` or ``--status``: there is none to stop."""
    try:
        options, _ = parse_options(process.arguments, _DAEMON_OPTIONS, program="start-stop-daemon")
    except UsageError as error:
        raise Refused(error.what, why=error.why) from error
    actions = options.keys() & {"start", "stop", "status"}
    wanted = options.keys() & {"exec", "name", "pidfile", "pid", "ppid", "user"}
    if len(actions) != 1 or not wanted or "start" in actions:
        raise Refused("start-stop-daemon with these arguments", why=" ".join(process.arguments))
    if "exec" in options and not process.tree.exists(process.place(options["exec"])):
        process.complain("unable to stat the program")
        return 2
    if "status" in options:
        return _NOT_RUNNING
    if "quiet" not in options:
        process.complain("no process is found")
    return 0 if "oknodo" in options else 1


def detect_virt(process: Process) -> int:
    """``systemd-detect-virt --container``: none."""
    words = set(process.arguments)
    if not words & {"-c", "--container"} or words - {"-c", "--container", "-q", "--quiet"}:
        raise Refused("systemd-detect-virt with these arguments", why=" ".join(process.arguments))
    if not words & {"-q", "--quiet"}:
        process.print("none\n")
    return 1


def bootctl(process: Process) -> int:
    """``bootctl is-installed``, ``bootctl --print-esp-path`` and their like: there is no EFI system partition."""
    words = [word for word in process.arguments if word not in {"--quiet", "-q"}]
    if words not in (["is-installed"], ["--print-esp-path"], ["-p"], ["--print-boot-path"], ["-x"]):
        raise Refused("bootctl with these arguments", why=" ".join(process.arguments))
    if words == ["is-installed"] and process.captured:
        raise Refused("what bootctl prints is read")
    process.complain("Couldn't find EFI system partition.")
    return 1


def linux_version(process: Process) -> int:
    """``linux-version list``: the kernels in /boot; ``linux-version sort`` of no more than one."""
    if process.arguments == ["sort"]:
        data = process.read().decode("latin-1")
        if data.count("\n") > 1:
            raise Refused("the order of several kernels")
        process.print(data)
        return 0
    if process.arguments != ["list"]:
        raise Refused("linux-version with these arguments", why=" ".join(process.arguments))
    names = [as_text(name) for name in process.tree.names("/boot")]
    found = [match.group(1) for name in names if (match := re.fullmatch(r"vmlinu[xz]-(.+)", name))]
    if len(found) > 1:
        raise Refused("the order of several kernels")
    process.print("".join(f"{version}\n" for version in found))
    return 0


def mountpoint(process: Process) -> int:
    """``mountpoint -q PATH``: nothing is mounted below the root, but for what a running system has in a few places."""
    options, names = options_of(process, "q|quiet")
    if len(names) != 1:
        raise Refused("mountpoint with these arguments", why=" ".join(process.arguments))
    there = look(process, names[0])
    if there.inode is None:
        process.complain(f"mountpoint: {names[0]}: not there")
        return 1
    if there.place.split("/")[1] in _MOUNTED or there.inode.kind is not Kind.DIR:
        raise Refused("whether something is mounted", why=names[0])
    if "q" not in options:
        process.print(f"{names[0]} is not a mountpoint\n")
    return 32


PROGRAMS: dict[str, Program] = {
    "start-stop-daemon": start_stop_daemon,
    "systemd-detect-virt": detect_virt,
    "bootctl": bootctl,
    "linux-version": linux_version,
    "mountpoint": mountpoint,
}
