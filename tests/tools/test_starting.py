"""How programs are started and ended, within which limits, and what is said where they cannot be confined."""

import errno
import io
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from assembler.tools import confinement
from assembler.tools.confinement import (
    HOST,
    HOST_FILES,
    Confinement,
    ConfinementError,
    Limits,
    below,
    finish,
    kill,
    reach_of,
    start,
    weakness,
)
from assembler.tools.toolbox import Toolbox
from tests.tools.test_confinement import perl, refused


def test_what_each_kernel_lacks() -> None:
    begin = "programs that are run are confined, but this kernel does not refuse "
    files, signals = "truncating files (Linux 6.2 does)", "signals to your other processes (Linux 6.12 does)"
    sockets = "connections (seccomp does)"
    for version in (1, 2):
        assert weakness(version, filtered=True) == f"{begin}{files} and {signals}"
    for version in (3, 4, 5):
        assert weakness(version, filtered=True) == f"{begin}{signals}"
    assert weakness(3, filtered=False) == f"{begin}{signals} and {sockets}"
    assert weakness(6, filtered=False) == f"{begin}{sockets}"
    assert weakness(7, filtered=True) == ""


def test_what_a_program_of_the_host_may_read(tmp_path: Path) -> None:
    own = tmp_path / "program"
    own.touch()
    assert reach_of(own) == (Path("/"),)
    link = tmp_path / "link"
    link.symlink_to("/usr/bin/env")
    for program in (Path("/usr/bin/env"), link):
        assert reach_of(program) == (*HOST, *HOST_FILES)
    assert below(own, [tmp_path / "other", tmp_path])
    assert not below(own, [tmp_path / "prog"])
    assert not below(own, [])


@pytest.mark.parametrize(
    ("version", "files", "tcp", "scoped"),
    [
        (1, 0x1FFF, 0, 0), (2, 0x3FFF, 0, 0), (3, 0x7FFF, 0, 0), (4, 0x7FFF, 3, 0), (5, 0xFFFF, 3, 0),
        (6, 0xFFFF, 3, 3), (7, 0xFFFF, 3, 3),
    ],
)  # fmt: skip
def test_all_that_each_kernel_can_refuse_is_refused(
    version: int, files: int, tcp: int, scoped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rights that linux/landlock.h has for each version: of files, of TCP ports, of sockets and signals."""
    asked: list[tuple[int, ...]] = []

    def system_call(number: int, attributes: bytes, *_: object) -> int:
        if number == confinement._CREATE_RULESET:
            asked.append(struct.unpack("=QQQ", attributes))
        return os.open("/", os.O_RDONLY)

    monkeypatch.setattr(confinement, "landlock", lambda: version)
    monkeypatch.setattr(confinement, "_system_call", system_call)
    monkeypatch.setattr(confinement, "_rule", lambda *_: None)
    for network, ports, handled in ((False, None, tcp), (True, None, 0), (True, (22,), tcp)):
        with confinement._ruleset(Confinement(network=network, ports=ports)):
            pass
        assert asked.pop() == (files, handled, scoped)


def test_the_table_of_limits() -> None:
    processors = len(os.sched_getaffinity(0))
    assert Limits().table() == {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: 172_800,
        resource.RLIMIT_DATA: (4 << 30) + processors * (256 << 20),
        resource.RLIMIT_FSIZE: 1 << 40,
        resource.RLIMIT_NOFILE: 4096,
    }
    assert Limits(cpu=None, memory=5, memory_each=0, file=None, files=3).table() == {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: 5,
        resource.RLIMIT_NOFILE: 3,
    }


def test_lower_limits_of_the_user_stay() -> None:
    """They cannot be raised again, so another process has them."""
    code = """if True:
        import resource, subprocess, sys
        from pathlib import Path
        from assembler.tools.confinement import Confinement, start
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 60))
        resource.setrlimit(resource.RLIMIT_CPU, (70, 80))
        process = start(["/bin/cat"], Confinement(runs=(Path("/"),)), environment={}, cwd=Path("/"),
                        stdin=subprocess.PIPE)
        sys.stdout.write(Path(f"/proc/{process.pid}/limits").read_text())
        process.communicate()
    """
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    limits = {line[:26].strip(): line[26:].split()[:2] for line in said.splitlines()}
    assert limits["Max open files"] == ["60", "60"]
    assert limits["Max cpu time"] == ["80", "80"]


def test_what_cannot_be_confined_is_not_run(tmp_path: Path) -> None:
    """A thread that has as many layers of confinement as there can be."""
    given = Confinement(runs=(Path("/"),), writes=(Path("/"),))
    errors: list[ConfinementError] = []

    def attempt() -> None:
        for _ in range(16):
            with confinement._ruleset(given) as ruleset:
                confinement._confine(ruleset, given)
        try:
            start(["/bin/sh", "-c", f"echo > {tmp_path}/ran"], given, environment={}, cwd=tmp_path)
        except ConfinementError as error:
            errors.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    (error,) = errors
    assert error.what == "a program cannot be confined, and is not run"
    assert error.why == os.strerror(errno.E2BIG)
    assert error.hint == "Landlock allows 16 layers: see whether this runs in too many sandboxes"
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ConfinementError) as caught, confinement._explained():
        raise OSError(errno.EPERM, "no")
    assert (caught.value.why, caught.value.hint) == ("no", "")


def test_who_leads_no_session_is_ended_alone(toolbox: Toolbox) -> None:
    process = start(
        toolbox.command("sleep", ["600"]),
        Confinement(runs=(toolbox.root,)),
        environment={},
        cwd=toolbox.root,
        session=False,
    )
    assert os.getsid(process.pid) == os.getsid(0)
    kill(process)
    assert process.returncode == -signal.SIGKILL
    kill(process)  # once more does nothing


def test_how_a_program_ended_is_returned(toolbox: Toolbox) -> None:
    (library,) = toolbox.root.glob("usr/lib/*/perl-base")
    for code, status in (("exit 7", 7), ("kill 'TERM', $$", -signal.SIGTERM)):
        command = toolbox.command("perl", [f"-I{library}", "-e", code])
        process = start(command, Confinement(runs=(toolbox.root,)), environment={}, cwd=toolbox.root)
        assert finish(process) == status
        assert finish(process) == status


@pytest.mark.parametrize(("buffered", "kind"), [(True, io.BufferedReader), (False, io.FileIO)])
def test_what_is_handed_over_and_how_it_is_read(toolbox: Toolbox, buffered: bool, kind: type) -> None:  # noqa: FBT001
    (library,) = toolbox.root.glob("usr/lib/*/perl-base")
    ours, theirs = os.pipe()
    process = start(
        toolbox.command("perl", [f"-I{library}", "-e", f"open my $f, '>&=', {theirs} or die $!; print $f 'there'"]),
        Confinement(runs=(toolbox.root,)),
        environment={},
        cwd=toolbox.root,
        stdout=subprocess.PIPE,
        descriptors=(theirs,),
        buffered=buffered,
    )
    os.close(theirs)
    with process, open(ours, "rb") as said:  # noqa: PTH123  a descriptor
        assert type(process.stdout) is kind
        assert said.read() == b"there"
        assert finish(process) == 0


def test_the_harmless_devices_are_there(toolbox: Toolbox) -> None:
    for device in ("null", "zero", "full", "random", "urandom"):
        perl(toolbox, f"open my $f, '<', '/dev/{device}' or die $!")
    perl(toolbox, "open my $f, '>', '/dev/null' or die $!; print $f 'x' or die $!")
    refused(toolbox, "open my $f, '<', '/dev/tty' or die $!")
