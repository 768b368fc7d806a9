"""Running make: what it is told, what is told of it, and how it ends. The make is real, the kernel a few lines."""

import dataclasses
import errno
import fcntl
import multiprocessing
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from assembler.architecture import ARM64
from assembler.kernel.make import Make
from assembler.kernel.vanilla import cache_of
from assembler.kernel.work import MakeError
from assembler.store.objects import Store
from tests.support.compilers import Machine
from tests.support.reporters import Recorder

MAKEFILE = r"""
good:
	@echo "  CC      kernel/fork.o"
	@echo "  LD [M]  not/counted"
	@echo "  HOSTCC  scripts/basic/fixdep"
	@echo "some other line"
	@env > $(O)/environment
	@echo "$(ARCH) $(CROSS_COMPILE) $(CC) $(HOSTCC) $(KCFLAGS)" > $(O)/variables
broken:
	@echo "  CC      kernel/fork.o"
	@echo "kernel/fork.c:7:1: error: expected ';'" >&2
	@for i in $$(seq 50); do echo "line $$i"; done
	@exit 1
full:
	@echo "  AR      vmlinux.a"
	@cat $(CURDIR)/Makefile > /dev/full
many:
	@for i in $$(seq 50); do echo "x.c:$$i: error: number $$i"; done
	@exit 1
killed:
	@for i in $$(seq 50); do echo "line $$i"; done
	@kill -KILL $$PPID
hanging:
	@echo $$$$ > $(O)/pid
	@sleep 1000 & echo $$! >> $(O)/pid; wait
outliving:
	@echo $$$$ > $(O)/pid
	@:; setsid sh -c 'echo $$$$ >> $(O)/pid; exec sleep 1000'
"""


def make(machine: Machine, directory: Path, *, prefix: str = "", ccache: str = "", search: str | None = None) -> Make:
    tree, objects = directory / "tree", directory / "objects"
    tree.mkdir(parents=True)
    objects.mkdir()
    (tree / "Makefile").write_text(MAKEFILE)
    return Make(
        tree=tree,
        objects=objects,
        architecture=ARM64,
        toolchain=machine.toolchain(prefix=prefix, ccache=ccache, search=search),
        epoch=1_000_000_000,
        jobs=2,
        cache=directory / "ccache",
    )


def test_progress_counts_what_is_worked_on(machine: Machine, tmp_path: Path) -> None:
    log, reporter = tmp_path / "log", Recorder()
    assert make(machine, tmp_path).run(["good"], log, expected=2, reporter=reporter) == 2
    assert reporter.steps == [("kernel", 2)]
    # What was expected is not reached before the end: there may be more than that.
    assert reporter.advanced == 1
    assert reporter.notes == ["kernel/fork.o", "scripts/basic/fixdep"]
    assert "some other line" in log.read_text()


def test_surroundings_are_constants(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KBUILD_BUILD_USER", "somebody")
    monkeypatch.setenv("CFLAGS", "-O0")
    make(machine, tmp_path, prefix="aarch64-linux-gnu-", ccache="/usr/bin/ccache").run(["good"], tmp_path / "log")
    environment = (tmp_path / "objects/environment").read_text().splitlines()
    assert "KBUILD_BUILD_USER=assembler" in environment
    assert "KBUILD_BUILD_TIMESTAMP=Sun Sep 09 01:46:40 UTC 2001" in environment
    assert not any(line.startswith("CFLAGS=") for line in environment)
    told = (tmp_path / "objects/variables").read_text()
    assert told.startswith("arm64 aarch64-linux-gnu- /usr/bin/ccache aarch64-linux-gnu-gcc /usr/bin/ccache gcc -ffile-")
    assert f"-ffile-prefix-map={tmp_path}/tree=/usr/src/linux" in told


def test_what_broke_is_shown(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(MakeError, match="cannot be compiled") as caught:
        make(machine, tmp_path).run(["broken"], log)
    assert "kernel/fork.c:7:1: error: expected ';'" in caught.value.details
    assert str(log) in caught.value.hint
    assert "line 50" in log.read_text()


def test_a_disk_that_is_full_is_told_as_such(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        make(machine, tmp_path).run(["full"], tmp_path / "log")
    assert caught.value.errno == errno.ENOSPC


def test_a_log_that_cannot_grow_is_a_full_disk(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        make(machine, tmp_path).run(["good"], log)


def ended(pid: int) -> bool:
    """Whether a process ends within ten seconds: gone, or dead and not yet collected by whoever has adopted it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_an_interrupt_ends_everything_that_was_started(machine: Machine, tmp_path: Path) -> None:
    pids = tmp_path / "objects/pid"

    def interrupt() -> None:
        while not pids.exists() or len(pids.read_text().split()) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    running = make(machine, tmp_path)
    # A shell starts what runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            running.run(["hanging"], tmp_path / "log")
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    for pid in pids.read_text().split():
        assert ended(int(pid))


def test_what_a_source_runs_reaches_its_own_directory_alone(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Makefile of a stranger: when it is read, and in recipes."""
    home, mark = tmp_path / "home", tmp_path / "mark"
    home.mkdir()
    (home / "key").write_text("secret")
    monkeypatch.setenv("HOME", str(home))
    running = make(machine, tmp_path)
    probe = socket.create_server(("127.0.0.1", 0))
    connect = f"import socket; socket.create_connection(('127.0.0.1', {probe.getsockname()[1]}))"
    (running.tree / "Makefile").write_text(
        f"X := $(shell id -u > {mark}; cat {home}/key > $(O)/read; echo $$HOME > $(O)/home)\n"
        "all:\n"
        f"\t-cat {home}/key\n\t-cp {home}/key $(O)/copied\n\t-ls {home} > $(O)/listed\n"
        f"\t-echo x > {mark}\n\t-echo x > {running.tree}/new\n\t-cat /etc/passwd > $(O)/passwd\n"
        f'\t-/usr/bin/python3 -I -c "{connect}" && echo connected > $(O)/connected\n'
        "\t-kill -CONT $$PPID && kill -CONT " + f"{os.getpid()} && echo x > $(O)/signalled\n"
        "\techo fine > $(O)/fine\n"
    )
    with probe:
        running.run(["all"], tmp_path / "log")
    assert {path.name for path in running.objects.iterdir() if path.stat().st_size} == {"fine", "home"}
    assert (running.objects / "home").read_text() == "/nonexistent\n"
    assert not mark.exists()
    assert not (running.tree / "new").exists()
    assert "secret" not in (tmp_path / "log").read_text()


def test_what_a_source_leaves_in_the_cache_is_for_that_source_alone(
    machine: Machine, tmp_path: Path, store: Store
) -> None:
    ours, theirs = cache_of(store, tmp_path / ("1" * 64)), cache_of(store, tmp_path / "tree")
    running = dataclasses.replace(make(machine, tmp_path, ccache="/usr/bin/ccache"), cache=theirs)
    ours.mkdir()
    configuration = (
        f"echo prefix_command = evil > {theirs}/ccache.conf; echo prefix_command = evil > {ours}/ccache.conf"
    )
    (running.tree / "Makefile").write_text(f"all:\n\t-{configuration}; true\n")
    running.run(["all"], tmp_path / "log")
    assert [path.name for path in theirs.iterdir()] == ["ccache.conf"]
    assert not any(ours.iterdir())


def test_make_that_is_missing(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(MakeError, match="make cannot be started"):
        make(machine, tmp_path, search=str(tmp_path)).run(["good"], tmp_path / "log")


@pytest.mark.parametrize(
    "name", ["with space", "a:b", "$(id)", "`id`", "a;b", "a#b", "a'b", 'a"b', "a=b", "a\\b", "a%b"]
)
def test_directories_that_make_does_not_take(machine: Machine, tmp_path: Path, name: str) -> None:
    with pytest.raises(MakeError, match="cannot be built in this directory") as caught:
        make(machine, tmp_path / name)
    assert "--store" in caught.value.hint


def hang(machine: Machine, directory: Path, root: Path, target: str) -> None:
    """Run a make without end, under a lock."""
    with Store(root).locked("objects") as lock:
        dataclasses.replace(make(machine, directory), lock=lock).run([target], directory / "log")


def killed_at(machine: Machine, store: Store, directory: Path, target: str) -> list[int]:
    """The processes that a make without end had started when the build that started it was killed."""
    pids = directory / "objects/pid"
    process = multiprocessing.get_context("spawn").Process(target=hang, args=(machine, directory, store.root, target))
    process.start()
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    return [int(pid) for pid in pids.read_text().split()]


def test_make_ends_with_the_build_that_started_it_and_then_the_lock_is_free(
    machine: Machine, store: Store, tmp_path: Path
) -> None:
    started = killed_at(machine, store, tmp_path, "hanging")
    with (store.root / "locks/objects").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    for pid in started:
        assert ended(pid)


def test_a_program_that_outlives_the_build_that_started_it_keeps_the_lock(
    machine: Machine, store: Store, tmp_path: Path
) -> None:
    *_, outliving = killed_at(machine, store, tmp_path, "outliving")
    with (store.root / "locks/objects").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(outliving, signal.SIGKILL)
        fcntl.flock(lock, fcntl.LOCK_EX)


def failed(machine: Machine, directory: Path, target: str) -> MakeError:
    log = directory / "log"
    with pytest.raises(MakeError) as caught:
        make(machine, directory).run([target], log)
    assert caught.value.what == "the kernel cannot be compiled"
    assert caught.value.where.file == str(log)
    assert caught.value.hint == f"all that it printed is in {log}"
    return caught.value


def test_how_it_failed_is_told(machine: Machine, tmp_path: Path) -> None:
    error = failed(machine, tmp_path / "a", "broken")
    assert error.why == "make broken: exit status 2"
    assert error.details[0] == "kernel/fork.c:7:1: error: expected ';'"
    assert "*** [Makefile:" in error.details[1]
    error = failed(machine, tmp_path / "b", "many")
    assert error.details == tuple(f"x.c:{number}: error: number {number}" for number in range(1, 21))
    error = failed(machine, tmp_path / "c", "killed")
    assert error.why == "make killed: signal 9"
    assert error.details == tuple(f"line {number}" for number in range(31, 51)), "its last lines, when none tells more"


@pytest.mark.parametrize(("expected", "advanced"), [(0, 2), (1, 0), (2, 1), (3, 2), (9, 2)])
def test_progress_never_reaches_what_is_expected(
    machine: Machine, tmp_path: Path, expected: int, advanced: int
) -> None:
    log, reporter = tmp_path / "log", Recorder()
    log.write_text("what was there\n")
    assert make(machine, tmp_path).run(["good"], log, expected=expected, name="configure", reporter=reporter) == 2
    assert (reporter.steps, reporter.advanced) == ([("configure", expected)], advanced)
    assert log.read_text().startswith("what was there\n")
    assert "\n  CC      kernel/fork.o\n" in log.read_text()


def test_what_make_is_told(machine: Machine, tmp_path: Path) -> None:
    plain, cached = make(machine, tmp_path / "a"), make(machine, tmp_path / "b", prefix="x-", ccache="/usr/bin/ccache")
    maps = f"-ffile-prefix-map={tmp_path}/a/tree=/usr/src/linux -ffile-prefix-map={tmp_path}/a/objects=/usr/src/build"
    assert plain.command(["one", "two"]) == [
        "make",
        "--jobs=2",
        f"--directory={tmp_path}/a/tree",
        f"O={tmp_path}/a/objects",
        "ARCH=arm64",
        "CROSS_COMPILE=",
        "CC=gcc",
        "HOSTCC=gcc",
        f"KCFLAGS={maps}",
        f"KAFLAGS={maps}",
        "one",
        "two",
    ]
    assert cached.command([])[5:8] == [
        "CROSS_COMPILE=x-",
        "CC=/usr/bin/ccache x-gcc",
        "HOSTCC=/usr/bin/ccache gcc",
    ]
    assert plain.environment() == {
        "CCACHE_DIR": str(plain.cache),
        "HOME": "/nonexistent",
        "KBUILD_BUILD_HOST": "assembler",
        "KBUILD_BUILD_TIMESTAMP": "Sun Sep 09 01:46:40 UTC 2001",
        "KBUILD_BUILD_USER": "assembler",
        "KBUILD_BUILD_VERSION": "1",
        "LC_ALL": "C",
        "PATH": machine.search,
        "SOURCE_DATE_EPOCH": "1000000000",
        "TMPDIR": str(plain.objects),
        "TZ": "UTC0",
    }
    assert plain.confinement().writes == (plain.objects,)
    assert cached.confinement().writes == (cached.objects, cached.cache)
    with pytest.raises(MakeError):
        cached.run(["none"], tmp_path / "log")
    assert cached.cache.stat().st_mode & 0o777 == 0o700
    assert not plain.cache.exists()
