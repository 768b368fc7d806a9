"""Programs that may touch nothing but what they were given: no other file, no network, no privilege, and not endlessly.

Files, TCP, signals and abstract sockets are refused by Landlock (landlock(7)). A seccomp filter (seccomp(2)) refuses
what Landlock does not know of: every other socket, io_uring, the user's keys, typing into a terminal, and changing
modes, owners and times of files. Neither needs a privilege. Both belong to a thread and to what it starts: here a
thread of its own takes them upon itself, starts the program and ends, so that nothing has to run between fork and exec,
and this process goes on unconfined.

What neither refuses: looking at the sizes and modes of files whose names are known (stat, readlink), and to those that
have to change modes, as compilers have, doing so to any file that belongs to the user.
"""

import _thread
import contextlib
import ctypes
import errno
import functools
import gc
import os
import platform
import resource
import signal
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assembler.architecture import SystemCalls, of_machine
from assembler.errors import AssembleError
from assembler.progress import Reporter
from assembler.tools.lifeline import Lifeline, Tied

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of Landlock's system calls, the same on every architecture."""
_VERSION, _PATH_BENEATH, _NET_PORT = 1, 1, 2
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2

# linux/landlock.h; each as (first version of the interface that has it, bits).
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_MAKE_DEVICES = (1 << 6) | (1 << 11)
_FILES: tuple[tuple[int, int], ...] = ((1, (1 << 13) - 1), (2, 1 << 13), (3, _TRUNCATE), (5, _IOCTL_DEV))
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_TCP_SINCE, _SCOPES_SINCE = 4, 6
_SCOPES = 0b11
"""Abstract Unix sockets and signals."""

_RUN = _EXECUTE | _READ_FILE | _READ_DIR
_READ = _READ_FILE | _READ_DIR
_WRITE = ((1 << 15) - 1) & ~_EXECUTE & ~_MAKE_DEVICES
_DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""Rights that a rule for something else than a directory may have."""
_HARMLESS = tuple(map(Path, ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")))

# seccomp: see seccomp(2), linux/seccomp.h and linux/filter.h.
_LATER_ATTRIBUTES = (452, 463, 466, 469)
"""fchmodat2, setxattrat, removexattrat and file_setattr, the same on every architecture."""
_IO_URING_SETUP = 425
_AF_INET, _AF_INET6 = 2, 10
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000

_GIB = 1 << 30
_GRACE = 5
"""Seconds from the signal that processor time is used up to the end."""
_LATER = ((3, "truncating files (Linux 6.2 does)"), (6, "signals to your other processes (Linux 6.12 does)"))
"""What came with later versions of Landlock's interface."""
_collecting = threading.Lock()
_users: list[str] = []
"""Who is without the garbage collector, and first of all whether it is to be switched on again."""
_telling = threading.Lock()
_told: list[bool] = []


HOST = tuple(
    map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store"))
)
"""Where a host has its programs and libraries, for programs of its own that are run."""
HOST_FILES = tuple(
    map(
        Path,
        (
            *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/perl"),
            *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu"),
        ),
    )
)
"""The few other files of it that such programs may read."""


def below(path: Path, roots: Sequence[Path] = HOST) -> bool:
    """Whether `path`, links followed, is in one of the directories `roots`."""
    real = path.resolve()
    return any(real.is_relative_to(root.resolve()) for root in roots)


def reach_of(program: Path) -> tuple[Path, ...]:
    """What a program of the host may read and run. One in a directory of somebody's own may have its files anywhere."""
    return (*HOST, *HOST_FILES) if below(program) else (Path("/"),)


class ConfinementError(AssembleError):
    """A program that could not be confined, and was not started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of what one process takes; it is ended at them, or is refused more. The user's own, if lower, stay."""

    cpu: int | None = 48 * 3600
    """Seconds of processor time; None for as many as it likes."""
    memory: int = 4 * _GIB
    """Bytes of memory of its own (RLIMIT_DATA), and"""
    memory_each: int = _GIB // 4
    """further bytes for each processor, as threads want their own."""
    file: int | None = 1 << 40
    """Bytes of the largest file that it may write; None for any."""
    files: int = 4096
    """Files open at the same time."""

    def table(self) -> dict[int, int]:
        """The limits by their number, see getrlimit(2). There are no core dumps."""
        processors = len(os.sched_getaffinity(0))
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_CPU: self.cpu,
            resource.RLIMIT_DATA: self.memory + processors * self.memory_each,
            resource.RLIMIT_FSIZE: self.file,
            resource.RLIMIT_NOFILE: self.files,
        }
        return {number: value for number, value in limits.items() if value is not None}


LIMITS = Limits()
"""For whoever knows no better ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """All that a program may reach. Directories stand for everything in them; paths that do not exist are passed
    over.
    """

    runs: tuple[Path, ...] = ()
    """What it may read and execute."""
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    """What it may read, write, make and remove. A file has to exist already; a directory lets it make new ones."""
    devices: tuple[Path, ...] = ()
    """Devices that it may control."""
    attributes: bool = False
    """Whether it may change modes, owners, times and extended attributes: of all files, as nothing tells them apart."""
    network: bool = False
    """Whether it may use IP."""
    ports: tuple[int, ...] | None = None
    """With `network`: TCP ports that it may serve at, connecting to none; None for whatever it likes."""
    limits: Limits = LIMITS


_PATIENCE = 5
"""Seconds in which a program has started that is not to start any more."""


def start(
    command: Sequence[str],
    confinement: Confinement,
    *,
    environment: Mapping[str, str],
    cwd: Path,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    descriptors: Sequence[int] = (),
    session: bool = True,
    buffered: bool = True,
) -> "subprocess.Popen[bytes]":
    """Start `command`, which has nothing of the caller's but `environment`, `cwd` and open files.

    The arguments are those of subprocess.Popen: `descriptors` are inherited, with `session` it leads a session of its
    own, without a terminal, and `buffered` says whether pipes are. It ends with this process. Raises OSError when it
    cannot be started, and ConfinementError when the kernel, though it knows of Landlock, does not confine it.
    """
    started: list[subprocess.Popen[bytes]] = []
    failed: list[BaseException] = []
    abandoned: list[bool] = []
    # A bare lock that the thread releases, as Ctrl-C may leave an Event (and Thread.start, which waits for one) with
    # "release unlocked lock" instead.
    ours, done = threading.Lock(), threading.Lock()
    done.acquire()

    def confined(ruleset: int | None) -> None:
        try:
            lifeline = Lifeline()
            _confine(ruleset, confinement)
            process = Tied(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                bufsize=-1 if buffered else 0,
                cwd=cwd,
                env=environment,
                pass_fds=(*descriptors, *lifeline.descriptors),
                start_new_session=session,
            )
            process.lifeline = lifeline
            lifeline.tie(process.pid, group=session)
            # From outside, as a limit of this process would be one of the whole build; at once, and before it is given
            # anything on its standard input.
            _limit(process.pid, confinement.limits)
        except BaseException as error:  # noqa: BLE001  it is raised where it belongs
            failed.append(error)
        else:
            with ours:
                started.append(process)
                if abandoned:
                    _abandon(process)
        finally:
            done.release()

    try:
        with _ruleset(confinement) as ruleset, _without_collector():
            try:
                _thread.start_new_thread(confined, (ruleset,))
                done.acquire()
            except BaseException:
                # The collector is not to work in that thread, and the ruleset is still used.
                if not (started or failed):
                    done.acquire(timeout=_PATIENCE)
                raise
        if started:
            return started[0]
    except BaseException:  # Ctrl-C, even while leaving the block above
        with ours:
            abandoned.append(True)
            for process in started:
                _abandon(process)
        raise
    raise failed[0]


def _abandon(process: "subprocess.Popen[bytes]") -> None:
    """End a process that nobody gets to see."""
    kill(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()


def finish(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of a process that leads its session, end what it left behind, and return its status."""
    if process.returncode is None:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # Nobody has collected it, so the number still is that of its group.
        _kill_group(process.pid)
    return _collect(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process at once, and with it all of its session if it leads one."""
    if process.returncode is None:
        _kill_group(process.pid)
        process.kill()  # when it leads none
    _collect(process)


def _collect(process: "subprocess.Popen[bytes]") -> int:
    status = process.wait()
    if isinstance(process, Tied):
        process.lifeline.close()
    return status


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


@functools.cache
def landlock() -> int:
    """The version of Landlock's interface that this kernel has; 0 when there is none, or it is switched off."""
    try:
        return _system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return 0


def _calls() -> SystemCalls | None:
    """The system calls of this machine; None when we do not know them."""
    host = of_machine(platform.machine())
    return host.calls if host else None


@functools.cache
def filters() -> bool:
    """Whether this kernel has seccomp's filters."""
    # It looks for the filter before it looks at anything else.
    _libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, None, 0, 0)
    return _calls() is not None and ctypes.get_errno() == errno.EFAULT


def weakness(version: int, *, filtered: bool) -> str:
    """What a kernel cannot keep programs from that has this version of Landlock, and whether it has seccomp's filters,
    for people; empty for nothing.
    """
    if not version:
        return "this kernel has no Landlock (Linux 5.13 has it): programs that are run may read and write what you may"
    missing = [what for since, what in _LATER if version < since]
    if not filtered:
        missing.append("connections (seccomp does)")
    return f"programs that are run are confined, but this kernel does not refuse {' and '.join(missing)}" * bool(
        missing
    )


def tell(reporter: Reporter) -> None:
    """Say what this kernel cannot refuse, if there is anything; only the first time in this process."""
    with _telling:
        if _told:
            return
        _told.append(True)
    if text := weakness(landlock(), filtered=filters()):
        reporter.info(text)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from running the finalizers of others in a thread that is confined."""
    with _collecting:
        if not _users and gc.isenabled():
            gc.disable()
            _users.append("collector")
        _users.append("")
    try:
        yield
    finally:
        with _collecting:
            _users.remove("")
            if _users == ["collector"]:
                _users.clear()
                gc.enable()


def _confine(ruleset: int | None, confinement: Confinement) -> None:
    """Confine the thread that calls this, for ever."""
    with _explained():
        if _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise _failure()
        if ruleset is not None:
            _system_call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
        calls = _calls()
        if calls is not None and filters():
            _filter(_instructions(calls, confinement))


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        layers = "Landlock allows 16 layers: see whether this runs in too many sandboxes"
        raise ConfinementError(
            "a program cannot be confined, and is not run",
            why=error.strerror or str(error),
            hint=layers if error.errno == errno.E2BIG else "",
        ) from error


@contextlib.contextmanager
def _ruleset(confinement: Confinement) -> Iterator[int | None]:
    """The descriptor of Landlock's ruleset; None on kernels without."""
    version = landlock()
    if not version:
        yield None
        return
    handled = sum(bits for since, bits in _FILES if version >= since)
    free = confinement.network and confinement.ports is None
    tcp = 0 if free or version < _TCP_SINCE else _BIND_TCP | _CONNECT_TCP
    scoped = _SCOPES if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", handled, tcp, scoped)
    with _explained():
        ruleset = _system_call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    try:
        with _explained():
            rules = [(path, _DEVICE & ~_IOCTL_DEV) for path in _HARMLESS]
            for paths, rights in (
                (confinement.runs, _RUN),
                (confinement.reads, _READ),
                (confinement.writes, _WRITE),
                (confinement.devices, _DEVICE),
            ):
                rules += [(path, rights) for path in paths]
            for path, rights in rules:
                _allow(ruleset, path, rights & handled)
            for port in (confinement.ports or ()) if tcp else ():
                _rule(ruleset, _NET_PORT, struct.pack("=QQ", _BIND_TCP, port))
        yield ruleset
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what cannot be reached needs no permission; the program itself tells what it misses
    try:
        if not os.path.isdir(descriptor):  # noqa: PTH112  a descriptor
            rights &= _OF_FILES
        _rule(ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor))
    finally:
        os.close(descriptor)


def _rule(ruleset: int, kind: int, attributes: bytes) -> None:
    _system_call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(kind), attributes, ctypes.c_uint32(0))


def _filter(instructions: list[bytes]) -> None:
    """Refuse system calls to the thread that calls this."""
    program = b"".join(instructions)
    held = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a 16-bit count, and a pointer that is aligned.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    if _libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0):
        raise _failure()


def _instructions(calls: SystemCalls, confinement: Confinement) -> list[bytes]:
    """The filter as classic BPF over struct seccomp_data: number at 0, architecture at 4, arguments from 16 on."""

    def step(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, true, false, value)

    def refuse(error: int) -> bytes:
        return step(_RETURN, _REFUSE | error)

    families = (_AF_INET, _AF_INET6) if confinement.network else ()
    refused = [*calls.keys]
    if not confinement.attributes:
        refused += [*calls.attributes, *_LATER_ATTRIBUTES]
    return [
        # Other architectures' numbers mean other calls: there are none.
        step(_LOAD, 4),
        step(_EQUAL, calls.audit, true=1),
        refuse(errno.ENOSYS),
        step(_LOAD, 0),
        *((step(_AT_LEAST, calls.foreign, false=1), refuse(errno.ENOSYS)) if calls.foreign is not None else ()),
        # Rings make sockets, too; whoever uses them does without.
        step(_EQUAL, _IO_URING_SETUP, false=1),
        refuse(errno.ENOSYS),
        *(part for number in refused for part in (step(_EQUAL, number, false=1), refuse(errno.EPERM))),
        step(_EQUAL, calls.socket, false=2 * len(families) + 2),
        step(_LOAD, 16),
        *(part for family in families for part in (step(_EQUAL, family, false=1), step(_RETURN, _ALLOW))),
        refuse(errno.EACCES),
        step(_EQUAL, calls.ioctl, false=5),
        step(_LOAD, 24),
        step(_EQUAL, _TIOCSTI, false=1),
        refuse(errno.EPERM),
        step(_EQUAL, _TIOCLINUX, false=1),
        refuse(errno.EPERM),
        step(_RETURN, _ALLOW),
    ]  # fmt: skip


def _limit(pid: int, limits: Limits) -> None:
    for number, value in limits.table().items():
        _, highest = resource.getrlimit(number)
        bound = value if highest == resource.RLIM_INFINITY else min(value, highest)
        # The signal of the lower bound says what it is.
        last = bound + _GRACE if number == resource.RLIMIT_CPU and highest == resource.RLIM_INFINITY else bound
        # One that has ended already needs no limits.
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, number, (bound, last))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _system_call(number: int, *arguments: object) -> int:
    result: int = _libc().syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise _failure()
    return result
