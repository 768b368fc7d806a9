"""What a confined program cannot do, tried by a real one (Perl, from the toolbox) on this very kernel.

Each refusal stands beside the same deed that was allowed, so that it is the confinement that refuses.
"""

import contextlib
import errno
import gc
import os
import platform
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import pytest

from assembler.architecture import AMD64, ARM64, Architecture, of_machine
from assembler.tools import confinement
from assembler.tools.confinement import (
    HOST,
    Confinement,
    Limits,
    finish,
    kill,
    landlock,
    start,
    tell,
    weakness,
)
from assembler.tools.toolbox import Toolbox, ToolError
from tests.support.reporters import Recorder

DEEDS = {
    "write": "open my $f, '>', $p or die $!",
    "append": "open my $f, '>>', $p or die $!",
    "truncate": "truncate $p, 0 or die $!",
    "remove": "unlink $p or die $!",
    "rename": "rename $p, qq($p.new) or die $!",
    "link": "link $p, qq($p.link) or die $!",
    "symlink": "symlink 'x', qq($p.symlink) or die $!",
    "directory": "mkdir qq($p.directory) or die $!",
    "fifo": "require POSIX; POSIX::mkfifo(qq($p.fifo), 0600) or die $!",
}


@pytest.fixture(autouse=True)
def _landlock() -> None:
    assert landlock(), "these tests want a kernel with Landlock"


def perl(toolbox: Toolbox, code: str, **more: object) -> str:
    (library,) = toolbox.root.glob("usr/lib/*/perl-base")
    return toolbox.run("perl", [f"-I{library}", "-e", code], **more)  # type: ignore[arg-type]


def refused(toolbox: Toolbox, code: str, why: str = "Permission denied", **more: object) -> None:
    with pytest.raises(ToolError) as caught:
        perl(toolbox, code, **more)
    assert why in caught.value.details[0]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "outside/secret"
    path.parent.mkdir()
    path.write_text("secret")
    return path


def reading(path: Path | str) -> str:
    return f"open my $f, '<', '{path}' or die $!; print <$f>"


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/{us}/environ", "/sys/kernel/notes"])
def test_files_of_this_machine_are_not_read(toolbox: Toolbox, path: str) -> None:
    refused(toolbox, reading(path.format(us=os.getpid())))


def test_only_what_is_named_is_read(toolbox: Toolbox, secret: Path, tmp_path: Path) -> None:
    refused(toolbox, reading(secret))
    refused(toolbox, reading(secret), reads=[tmp_path / "other", tmp_path / "missing/x"])
    assert perl(toolbox, reading(secret), reads=[secret]) == "secret"
    assert perl(toolbox, reading(secret), reads=[secret.parent]) == "secret"
    refused(toolbox, f"opendir my $d, '{secret.parent}' or die $!", reads=[secret])


def test_a_link_leads_nowhere_else(toolbox: Toolbox, secret: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "link").symlink_to(secret)
    refused(toolbox, reading(given / "link"), reads=[given])
    refused(toolbox, f"open my $f, '>', '{given}/link' or die $!", writes=[given])
    refused(toolbox, f"link '{secret}', '{given}/hard' or die $!", "Invalid cross-device link", writes=[given])
    assert secret.read_text() == "secret"


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_is_written_elsewhere(toolbox: Toolbox, secret: Path, deed: str) -> None:
    code = f"my $p = '{secret}'; {DEEDS[deed]}"
    refused(toolbox, code, reads=[secret.parent])
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]
    assert secret.read_text() == "secret"
    perl(toolbox, code, writes=[secret.parent])


@pytest.mark.parametrize("deed", ["chmod 0666, $p", "chown -1, $(, $p", "utime 0, 0, $p", "chmod 0666, $f"])
def test_what_files_are_like_is_not_changed(toolbox: Toolbox, secret: Path, deed: str) -> None:
    """Landlock alone lets everybody do that to every file of theirs."""
    before = secret.stat()
    code = f"my $p = '{secret}'; open my $f, '<', $p or die 'not read'; ({deed}) or die $!"
    refused(toolbox, code, "Operation not permitted", reads=[secret])
    assert secret.stat() == before
    perl(toolbox, code, reads=[secret], attributes=True)


def test_one_file_to_write_is_not_its_directory(toolbox: Toolbox, secret: Path) -> None:
    perl(toolbox, f"open my $f, '>', '{secret}' or die $!; print $f 'new'", writes=[secret])
    assert secret.read_text() == "new"
    refused(toolbox, f"open my $f, '>', '{secret}2' or die $!", writes=[secret])
    refused(toolbox, f"unlink '{secret}' or die $!", writes=[secret])


def test_the_toolbox_itself_is_not_written(toolbox: Toolbox) -> None:
    refused(toolbox, f"open my $f, '>', '{toolbox.root}/usr/bin/new' or die $!")


def test_no_program_is_run_but_the_toolboxes(toolbox: Toolbox, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(toolbox.find("env").read_bytes())
    program.chmod(0o755)
    for path in ("/bin/sh", program):
        refused(toolbox, f"exec {{'{path}'}} 'x', '-c', ':' or die $!", writes=[tmp_path])


@pytest.fixture
def listening() -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """A server of each kind, and Perl that goes to it."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        tcp, udp, unix, abstract = (
            stack.enter_context(socket.socket(family, kind))
            for family, kind in (
                (socket.AF_INET, socket.SOCK_STREAM),
                (socket.AF_INET, socket.SOCK_DGRAM),
                (socket.AF_UNIX, socket.SOCK_STREAM),
                (socket.AF_UNIX, socket.SOCK_STREAM),
            )
        )
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        unix.bind(f"{directory}/s")
        abstract.bind(f"\0{directory}")
        for server in (tcp, unix, abstract):
            server.listen()
            server.setblocking(False)

        def go(family: int, kind: int, address: str) -> str:
            return f"socket(my $s, {family}, {kind}, 0) or die $!; connect($s, {address}) or die $!; print 'there'"

        def port(server: socket.socket) -> str:
            return f"pack('S n a4 x8', 2, {server.getsockname()[1]}, pack('C4', 127, 0, 0, 1))"

        yield (
            tcp,
            {
                "tcp": go(2, 1, port(tcp)),
                "udp": go(2, 2, port(udp)),
                "unix": go(1, 1, f"pack('S Z*', 1, '{directory}/s')"),
                "abstract": go(1, 1, f"pack('S x a*', 1, '{directory}')"),
            },
        )


@pytest.mark.parametrize("way", ["tcp", "udp", "unix", "abstract"])
def test_there_is_no_network(toolbox: Toolbox, listening: tuple[socket.socket, dict[str, str]], way: str) -> None:
    refused(toolbox, listening[1][way])
    # The same program, not confined.
    (library,) = toolbox.root.glob("usr/lib/*/perl-base")
    command = toolbox.command("perl", [f"-I{library}", "-e", listening[1][way]])
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"there"


@pytest.mark.parametrize("family", [socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK])
def test_there_are_no_other_sockets(toolbox: Toolbox, family: int) -> None:
    refused(toolbox, f"socket(my $s, {int(family)}, 2, 0) or die $!")
    perl(toolbox, "socketpair(my $a, my $b, 1, 1, 0) or die $!")


def outcome(toolbox: Toolbox, given: Confinement, code: str) -> str:
    (library,) = toolbox.root.glob("usr/lib/*/perl-base")
    command = toolbox.command("perl", [f"-I{library}", "-e", code])
    process = start(
        command,
        given,
        environment=toolbox.environment(),
        cwd=toolbox.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.read().decode()
        finish(process)
    return said


def test_a_network_that_is_allowed_can_be_ports_alone(
    toolbox: Toolbox, listening: tuple[socket.socket, dict[str, str]]
) -> None:
    server, ways = listening
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = "socket(my $s, 2, 1, 0) or die $!; bind($s, pack('S n a4 x8', 2, %d, pack('C4', 127, 0, 0, 1))) or die $!"
    free = Confinement(runs=(toolbox.root,), network=True)
    one = Confinement(runs=(toolbox.root,), network=True, ports=(port,))
    assert outcome(toolbox, free, ways["tcp"]) == "there"
    assert "Permission denied" in outcome(toolbox, free, ways["unix"])
    assert "Permission denied" in outcome(toolbox, one, ways["tcp"])
    assert outcome(toolbox, one, serve % port) == ""
    assert "Permission denied" in outcome(toolbox, one, serve % server.getsockname()[1])


def test_other_processes_are_out_of_reach(toolbox: Toolbox) -> None:
    refused(toolbox, f"kill('STOP', {os.getpid()}) or die $!", "Operation not permitted")
    perl(toolbox, "kill('CONT', $$) or die $!")


@pytest.mark.parametrize("call", ["add_key", "request_key", "keyctl", "io_uring_setup", "ioctl"])
def test_keys_rings_and_other_peoples_terminals_are_refused(toolbox: Toolbox, call: str) -> None:
    host = of_machine(platform.machine())
    assert host is not None
    keys = dict(zip(("add_key", "request_key", "keyctl"), host.calls.keys, strict=True))
    number = {**keys, "ioctl": host.calls.ioctl}.get(call, confinement._IO_URING_SETUP)
    arguments = "0, 0x5412, my $x = 'x'" if call == "ioctl" else "0, 0, 0, 0, 0"
    why = "Function not implemented" if call == "io_uring_setup" else "Operation not permitted"
    refused(toolbox, f"syscall({number}, {arguments}) >= 0 or die $!", why)


def test_a_program_has_nothing_of_ours(toolbox: Toolbox) -> None:
    """What the kernel itself says of it."""
    with open(os.devnull, "rb") as ours:  # noqa: PTH123  inheritable on purpose
        os.set_inheritable(ours.fileno(), True)
        process = start(
            toolbox.command("sleep", ["60"]),
            Confinement(runs=(toolbox.root,)),
            environment={"ONLY": "this"},
            cwd=toolbox.root,
        )
        try:
            about = Path("/proc", str(process.pid))
            while "(sleeping)" not in (about / "status").read_text() or not (about / "environ").read_bytes():
                time.sleep(0.001)  # it has only just begun to be that program
            status = dict(line.split(":\t", 1) for line in (about / "status").read_text().splitlines())
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
            assert (about / "environ").read_bytes() == b"ONLY=this\0"
            opened = {path.name: str(path.readlink())[:5] for path in (about / "fd").iterdir()}
            assert opened.keys() > {"0", "1", "2"}
            assert [kind for name, kind in opened.items() if name not in "012"] == ["pipe:"]  # see test_lifeline.py
            assert os.getsid(process.pid) == process.pid
            limits = (about / "limits").read_text()
            (cpu,) = (line.split() for line in limits.splitlines() if line.startswith("Max cpu time"))
            assert cpu[3:5] == ["172800", "172805"], "a signal that says why comes first"
            for name, value in (("core file size", 0), ("open files", 4096), ("file size", 1 << 40)):
                (line,) = (line.split() for line in limits.splitlines() if line.startswith(f"Max {name}"))
                assert line[len(name.split()) + 1 :][:2] == [str(value)] * 2
        finally:
            kill(process)


def test_this_process_stays_free(toolbox: Toolbox, secret: Path) -> None:
    refused(toolbox, reading(secret))
    assert secret.read_text() == "secret"
    own = dict(line.split(":\t", 1) for line in Path("/proc/thread-self/status").read_text().splitlines())
    assert own["NoNewPrivs"] == "0"
    socket.socket(socket.AF_UNIX).close()


def test_the_temporary_directory_is_private_and_goes(toolbox: Toolbox) -> None:
    code = "my $d = $ENV{TMPDIR}; mkdir qq($d/sub) or die $!; printf '%s %o', $d, (stat $d)[2]"
    directory, mode = perl(toolbox, code).split()
    assert mode == "40700"
    assert not Path(directory).exists()
    assert perl(toolbox, code).split()[0] != directory


@pytest.mark.parametrize(
    ("limits", "code", "why"),
    [
        (Limits(cpu=1), "1 while 1", "it took more processor time than it may"),
        (Limits(file=1 << 20), "print 'x' x (2 << 20)", "a file became larger than it may"),
        (Limits(memory=64 << 20, memory_each=0), "my $x = 'x' x (1 << 30); print length $x", "exit status 1"),
        (
            Limits(files=16),
            "my @f; for (1..20) { open $f[$_], '<', '/dev/null' or die }",
            "exit status",
        ),
    ],
)
def test_nothing_takes_without_end(toolbox: Toolbox, limits: Limits, code: str, why: str) -> None:
    (library,) = toolbox.root.glob("usr/lib/*/perl-base")
    with pytest.raises(ToolError) as caught:
        toolbox.run("perl", [f"-I{library}", "-"], stdin=[code.encode()], limits=limits)
    assert why in caught.value.why


def test_what_a_program_leaves_behind_is_ended(toolbox: Toolbox) -> None:
    left = int(perl(toolbox, "my $p = fork; if ($p) { print $p } else { sleep 600 }"))
    deadline = time.monotonic() + 10
    status = Path(f"/proc/{left}/stat")
    while status.exists() and ") Z " not in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not status.exists() or ") Z " in status.read_text()


def test_many_at_once_have_what_is_theirs(toolbox: Toolbox, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(12)]
    for path in paths:
        path.write_text(path.name)

    def attempt(number: int) -> tuple[str, int]:
        code = "my $n = 0; for (@ARGV) { $n++ if open my $f, '<', $_ } print $n"
        (library,) = toolbox.root.glob("usr/lib/*/perl-base")
        mine = paths[: number + 1]
        return toolbox.run("perl", [f"-I{library}", "-e", code, "--", *paths], reads=mine), number + 1

    with ThreadPoolExecutor(6) as pool:
        for said, expected in pool.map(attempt, range(12)):
            assert said == str(expected)
    assert gc.isenabled()


@pytest.mark.parametrize("version", range(8))
def test_older_kernels_refuse_what_they_can(
    toolbox: Toolbox, secret: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """An older interface is a newer one that is asked for less."""
    version = min(version, landlock())
    monkeypatch.setattr(confinement, "landlock", lambda: version)
    perl(toolbox, f"{reading(secret)}; open my $g, '>', qq($ENV{{TMPDIR}}/x) or die $!", reads=[secret])
    if version:
        refused(toolbox, reading(secret))
    else:
        assert perl(toolbox, reading(secret)) == "secret"
    refused(toolbox, "socket(my $s, 2, 1, 0) or die $!")


def test_what_the_kernel_lacks_is_said_once(toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no Landlock" in weakness(0, filtered=True)
    assert "truncating" in weakness(2, filtered=True)
    assert "signals" in weakness(5, filtered=True)
    assert "connections" in weakness(6, filtered=False)
    assert weakness(6, filtered=True) == ""
    assert confinement.filters()
    monkeypatch.setattr(confinement, "_told", [])
    monkeypatch.setattr(confinement, "landlock", lambda: 0)
    reporter = Recorder()
    for _ in range(3):
        toolbox.run("true", [], reporter=reporter)
        assert reporter.messages == [weakness(0, filtered=True)]
    tell(reporter)
    assert reporter.messages == [weakness(0, filtered=True)]


def test_a_program_of_the_host_reads_no_home(tmp_path: Path) -> None:
    """As compilers are confined."""
    given = Confinement(runs=HOST, writes=(tmp_path,))
    code = "cat /etc/passwd; ls ~; echo x > ../x; echo $TMPDIR$HOME; echo fine > x; cat x"
    process = start(
        ["/bin/sh", "-c", code], given, environment={"PATH": "/usr/bin:/bin", "HOME": str(Path.home())}, cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        said = process.stdout.read().decode()
        assert finish(process) == 0
    assert said.lower().count("permission denied") == 3
    assert said.endswith("fine\n")


def test_ctrl_c_while_something_starts_leaves_nothing(toolbox: Toolbox, tmp_path: Path) -> None:

    def interrupt(_: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code is start.__code__:
                interrupted.append(True)
                raise KeyboardInterrupt
            frame = frame.f_back

    interrupted: list[bool] = []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(200):
            signal.setitimer(signal.ITIMER_REAL, 0.00002 * (number + 1))
            process = None
            try:
                process = start(
                    toolbox.command("sleep", ["600"]),
                    Confinement(runs=(toolbox.root,)),
                    environment={"MARK": str(tmp_path)},
                    cwd=toolbox.root,
                )
                time.sleep(0.01)
            except KeyboardInterrupt:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                if process is not None:
                    kill(process)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted
    end = time.monotonic() + 20
    # A process that was being started may still be on its way to its end.
    while left := with_environment(f"MARK={tmp_path}"):
        assert time.monotonic() < end, left
        time.sleep(0.05)


def with_environment(text: str) -> list[str]:
    """The processes that have `text` in their environment."""
    found = []
    for about in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if text.encode() in about.read_bytes():
                found.append(about.parent.name)
    return found


def verdict(program: list[bytes], architecture: int, number: int, *arguments: int) -> int:
    """What the kernel makes of a filter: classic BPF, of which it has four instructions."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *(arguments + (0,) * 6)[:6])
    position, held = 0, 0
    while True:
        code, true, false, value = struct.unpack("=HBBI", program[position])
        if code == 0x20:  # load
            held = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:  # return
            return int(value)
        else:
            position += true if (held == value if code == 0x15 else held >= value) else false
        position += 1


@pytest.mark.parametrize(
    ("host", "other", "chmod"), [(AMD64, ARM64, 268), (ARM64, AMD64, 53)], ids=lambda value: getattr(value, "name", "")
)
def test_the_filter_on_each_architecture(host: Architecture, other: Architecture, chmod: int) -> None:
    """`chmod` is the number of fchmodat."""
    allow, inet, unix = 0x7FFF0000, 2, 1
    calls = host.calls
    architecture, keyctl = calls.audit, calls.keys[2]
    plain, network, free = (
        confinement._instructions(calls, given)
        for given in (Confinement(), Confinement(network=True), Confinement(attributes=True))
    )
    for program, number, arguments, allowed in (
        (plain, 0, (), True),
        (plain, calls.socket, (inet, 1), False),
        (plain, calls.socket, (unix, 1), False),
        (network, calls.socket, (inet, 1), True),
        (network, calls.socket, (10, 2), True),
        (network, calls.socket, (unix, 1), False),
        (network, calls.socket, (16, 1), False),
        (plain, calls.ioctl, (0, 0x5412), False),
        (plain, calls.ioctl, (0, 0x541C), False),
        (plain, calls.ioctl, (0, (1 << 32) | 0x5412), False),
        (plain, calls.ioctl, (0, 0x5401), True),
        (plain, keyctl, (), False),
        (plain, 425, (), False),
        (plain, chmod, (), False),
        (plain, 452, (), False),
        (network, chmod, (), False),
        (free, chmod, (), True),
        (free, 452, (), True),
        (free, keyctl, (), False),
    ):
        found = verdict(program, architecture, number, *arguments)
        assert (found == allow) is allowed, (number, arguments)
        assert allowed or found & 0xFFFF0000 == 0x00050000
    assert verdict(plain, other.calls.audit, 0) == 0x00050000 | errno.ENOSYS
    assert (verdict(plain, architecture, 0x40000000) == allow) is (host is ARM64)
    assert verdict(plain, architecture, 0x3FFFFFFF) == allow
    assert verdict(plain, architecture, 425) == 0x00050000 | errno.ENOSYS
    for number in (*calls.keys, *calls.attributes, 452, 463, 466, 469):
        assert verdict(plain, architecture, number) == 0x00050000 | errno.EPERM, number
    for family in (*range(46), 1 << 31):
        assert verdict(plain, architecture, calls.socket, family) == 0x00050000 | errno.EACCES
        expected = allow if family in {socket.AF_INET, socket.AF_INET6} else 0x00050000 | errno.EACCES
        assert verdict(network, architecture, calls.socket, family) == expected
    for request in (0x5411, 0x5412, 0x5413, 0x541B, 0x541C, 0x541D):
        expected = 0x00050000 | errno.EPERM if request in {0x5412, 0x541C} else allow
        assert verdict(network, architecture, calls.ioctl, 0, request) == expected
