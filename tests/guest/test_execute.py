"""Two scripts in machines of their own, for real; scripts/hostile and scripts/same-bytes have many more."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assembler.configure.job import Configure, Job, Run
from assembler.errors import AssembleError
from assembler.guest.execute import Executor
from assembler.store.objects import Store
from assembler.tree.content import Content, Slice
from assembler.tree.staging import Kind, Tree
from tests.proofs.processes import children
from tests.support.command import ROOT
from tests.support.guests import EPOCH, add_unpacked, busybox, essential, parts


@pytest.fixture
def execute(store: Store) -> Executor:
    return Executor(parts=parts(), store=store)


def test_what_a_script_makes(execute: Executor, store: Store) -> None:
    script = rb"""#!/bin/sh -e
    echo "$WHO $ASSEMBLE_FILES" >/etc/made; cat "$ASSEMBLE_FILES/sub/data" >>/etc/made
    ln -s ../../../../etc/passwd /etc/up; ln /etc/made /root/again; mknod /etc/null c 1 3; chmod 4755 /etc/made
    >"$(printf '/etc/new\nline')"; rm /etc/passwd; date +%s >/etc/date; kill -9 -1 || :
    setsid sh -c 'while :; do sleep 1; done' & (kill -9 1; sleep 1)
    """
    run = Run(name="x", script=script, environment={"WHO": "a $b"}, files={"sub/data": b"brought\n"})
    tree = busybox()
    before = list(tree.walk())
    job = Job(steps=(run, Run(name="y", script=b"#!/bin/cat\nprinted\n")), epoch=EPOCH)
    changes = execute(tree, job)
    assert list(tree.walk()) == before
    changes.apply(tree)
    assert tree.read("/etc/made") == b"a $b /proc/1/root/disk/job/0/files\nbrought\n"
    assert tree.at("/root/again") is tree.at("/etc/made")
    assert tree.at("/etc/made").mode == 0o4755
    assert tree.at("/etc/up").target == "../../../../etc/passwd"
    assert tree.at("/etc/null").device == (1, 3)
    assert tree.at("/etc/new\nline").kind is Kind.FILE
    assert EPOCH <= int(tree.read("/etc/date")) < EPOCH + 30
    assert not tree.lexists("/etc/passwd")
    assert changes.removed == ("/etc/passwd",)
    assert all(inode.mtime <= EPOCH for _, inode in tree.walk())
    # And what came of it is kept.
    assert Executor(parts=execute.parts, store=store)(busybox(), job).put.keys() == changes.put.keys()
    assert len(list(store.results.glob("executed-*/*"))) == 1


def test_programs_that_are_inert_or_hidden_where_packages_are_configured(execute: Executor) -> None:
    """They are themselves again afterwards."""
    tree = essential()
    looks = "if command -v later || [ -x /usr/bin/later ]; then exit 9; fi"
    add_unpacked(tree, "odd", f"{looks}\npy3compile -p odd && echo fine >/etc/made")
    tree.write("/usr/bin/py3compile", b"#!/bin/sh\necho code >/etc/code\nexit 1\n", 0o755)
    tree.write("/usr/bin/later", b"#!/bin/sh\n", 0o755)
    configure = Configure(names=("odd",), hidden=("/usr/bin/later", "/usr/bin/none", "/usr/bin/a\nb"))
    job = Job(steps=(configure, Run(name="x", script=b"#!/bin/sh\nlater && py3compile || :\n")), epoch=EPOCH)
    changes = execute(tree, job)
    assert not changes.put.keys() & {"/usr/bin/py3compile", "/usr/bin/pypy3compile", "/usr/bin/later"}
    changes.apply(tree)
    assert (tree.read("/etc/made"), tree.read("/etc/code")) == (b"fine\n", b"code\n")


def test_a_script_that_lies_and_fails(execute: Executor, store: Store) -> None:
    script = rb"""#!/bin/sh -e
    mknod /dev/ttyS0 c 4 64; mknod /dev/ttyAMA0 c 204 64
    for console in /dev/ttyS0 /dev/ttyAMA0; do
        printf '\nassemble: end done\nassemble: end  done\nassemble: end 0 done' >$console || :
    done
    echo exit >/proc/1/root/init || echo "init stays"; echo last words; exit 7
    """
    with pytest.raises(AssembleError) as caught:
        execute(busybox(), Job(steps=(Run(name="x", script=script),), epoch=EPOCH))
    error = caught.value
    assert (error.what, error.why) == ("the script x failed in the machine", "exit status 7")
    assert error.details[-2:] == ("init stays", "last words")
    assert Path(error.where.file).read_bytes().count(b"last words") == 1
    assert not list(store.results.glob("executed-*/*"))
    assert not list((store.root / "tmp").iterdir())


KILLED = """
from pathlib import Path
import sys
from assembler.configure.job import Job, Run
from assembler.guest.execute import Executor
from assembler.store.objects import Store
from tests.proofs.processes import children
from tests.support.command import ROOT
from tests.support.guests import EPOCH, busybox, parts
run = Run(name="x", script=b"#!/bin/sh\\nwhile :; do :; done\\n")
Executor(parts=parts(), store=Store(Path(sys.argv[1])))(busybox(), Job(steps=(run,), epoch=EPOCH))
"""


def test_the_machine_ends_with_an_assembler_that_is_killed(store: Store) -> None:
    """Within ten seconds; by itself it would go on for minutes."""
    command = [sys.executable, "-P", "-c", KILLED, str(store.root)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as assembler:
        while not (
            emulators := [pid for pid in children(assembler.pid) if b"-icount" in command_line(pid) and bound(pid)]
        ):
            assert assembler.poll() is None
            time.sleep(0.05)
        assembler.kill()
    deadline = time.monotonic() + 10
    while any(map(command_line, emulators)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(command_line, emulators))


def bound(pid: int) -> bool:
    """Whether a process has its limits, which it gets after it is tied: just after it has started."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY
    except OSError:
        return False


def command_line(pid: int) -> bytes:
    """What a process was started with; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_what_the_store_made_is_known_without_reading_it(execute: Executor, store: Store) -> None:
    def make(path: Path) -> None:
        path.write_bytes(b"abcabc")

    kept = store.derived("unpacked-0", "a" * 64, make)
    job = Job(steps=(), epoch=EPOCH)

    def key(content: Content) -> str:
        tree = Tree()
        tree.write("/x", content)
        return execute._key(tree, job)

    one, other = Slice(str(kept), 0, 3), Slice(str(kept), 3, 3)
    assert len({key(one), key(other), key(Slice(str(kept), 0, 2)), key(b"abc"), key(b"abd")}) == 5
    before = key(one)
    kept.unlink()
    assert key(one) == before
    with pytest.raises(OSError, match="No such file"):
        key(Slice(f"{store.root}/objects/none", 0, 3))
