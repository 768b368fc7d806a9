import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.architecture import ARCHITECTURES
from assembler.errors import Place
from assembler.store.holds import holds
from assembler.store.inventory import inventory
from assembler.store.objects import Store
from assembler.store.pruning import prune
from assembler.tools.toolbox import Toolbox, ToolError
from assembler.tools.trust import ProvedTools
from tests.debian import debs
from tests.lockfile.test_toml import TOOL
from tests.support.reporters import Recorder


def test_runs_a_program_with_nothing_of_this_machine(toolbox: Toolbox) -> None:
    printed = toolbox.run("env", [])
    names = {line.partition("=")[0] for line in printed.splitlines()}
    assert names == {*toolbox.environment(), "TMPDIR"}
    assert "HOSTNAME" not in names
    assert toolbox.run("date", ["-d", "@0", "+%Z %H"]) == "UTC 00\n"


def test_arguments_are_no_shell_words(toolbox: Toolbox) -> None:
    assert toolbox.run("printf", ["%s|", "$HOME", "a b", "`id`", ";ls"]) == "$HOME|a b|`id`|;ls|"


def test_feeds_standard_input(toolbox: Toolbox) -> None:
    chunks = [bytes([number]) * 100_000 for number in range(20)]
    assert toolbox.run("wc", ["-c"], stdin=chunks).split() == ["2000000"]
    assert toolbox.run("wc", ["-c"]).split() == ["0"]


def test_a_program_that_stops_reading_is_judged_by_its_status(toolbox: Toolbox) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(1 << 16)

    assert len(toolbox.run("head", ["-c", "5"], stdin=endless())) == 5


def test_a_failure_shows_the_last_lines_and_where_the_log_is(toolbox: Toolbox, tmp_path: Path) -> None:
    log = tmp_path / "deep" / "seq.log"
    with pytest.raises(ToolError) as caught:
        toolbox.run("env", ["-S", "false"], log=log)
    assert "failed" in str(caught.value)
    assert str(log) in str(caught.value)
    assert list(log.parent.iterdir()) == [log]
    with pytest.raises(ToolError) as caught:
        toolbox.run("cat", [f"/nonexistent/{number}" for number in range(100)], log=log)
    assert len(caught.value.details) == 20
    assert "/nonexistent/99" in caught.value.details[-1]
    assert "/nonexistent/0:" in log.read_text()


def test_only_the_end_of_a_long_log_is_shown(toolbox: Toolbox, tmp_path: Path) -> None:
    """As one line may be as long as it likes."""
    text = tmp_path / "text"
    text.write_text("x" * 20_000)
    log = tmp_path / "log"
    with pytest.raises(ToolError) as caught:
        toolbox.run("cat", [text, "/nonexistent"], reads=[text], log=log)
    assert caught.value.details == (log.read_text()[-16384:].removesuffix("\n"),)
    with pytest.raises(ToolError) as caught:
        toolbox.run("cat", ["/nonexistent"], log=log)
    assert caught.value.details == ("cat: /nonexistent: No such file or directory",)
    assert caught.value.where == Place(file=str(log))
    assert caught.value.hint == f"all that it printed is in {log}"


@pytest.mark.parametrize(("code", "why"), [("exit 3", "exit status 3"), ("kill 'KILL', $$", "killed by signal 9")])
def test_how_a_program_ended_is_said(toolbox: Toolbox, code: str, why: str) -> None:
    (library,) = toolbox.root.glob("usr/lib/*/perl-base")
    with pytest.raises(ToolError) as caught:
        toolbox.run("perl", [f"-I{library}", "-e", code])
    assert (caught.value.what, caught.value.why) == ("perl failed", why)


def test_warnings_are_told_and_nothing_else(toolbox: Toolbox) -> None:
    reporter = Recorder()
    text = "fine\n  Warning: odd \nalso fine\n"
    assert toolbox.run("printf", ["%s", text], reporter=reporter) == text
    assert reporter.warnings == ["printf: Warning: odd"]


def test_a_log_that_was_asked_for_stays(toolbox: Toolbox, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier run, and longer")
    assert toolbox.run("printf", ["text"], log=log) == "text"
    assert log.read_text() == "text"


def test_output_elsewhere_is_not_among_what_was_printed(toolbox: Toolbox, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as out:
        assert toolbox.run("printf", ["text"], stdout=out) == ""
        assert (tmp_path / "out").read_text() == "text"


def test_where_a_program_works_and_what_is_laid_over_its_environment(toolbox: Toolbox, tmp_path: Path) -> None:
    assert toolbox.run("pwd", []) == f"{toolbox.root.resolve()}\n"
    assert toolbox.run("pwd", [], cwd=tmp_path, reads=[tmp_path]) == f"{tmp_path}\n"
    said = toolbox.run("env", [], environment={"TZ": "UTC1", "MORE": "x"}).splitlines()
    assert {"TZ=UTC1", "MORE=x", "LC_ALL=C.UTF-8"} <= set(said)


def test_what_cannot_be_started_says_why(toolbox: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        toolbox.run("true", ["x" * (1 << 20)], log=tmp_path / "log")
    assert (caught.value.what, caught.value.why) == ("true cannot be started", "Argument list too long")
    assert "noexec" in caught.value.hint


def test_a_program_is_looked_for_where_programs_are(toolbox: Toolbox, tmp_path: Path) -> None:
    box = Toolbox(tmp_path, toolbox.architecture, tmp_path)
    for name in ("usr/bin/one", "usr/sbin/two", "usr/sbin/one", "usr/bin/three/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert box.find("one") == tmp_path / "usr/bin/one"
    assert box.find("two") == tmp_path / "usr/sbin/two"
    with pytest.raises(ToolError, match="the toolbox has no three"):
        box.find("three")


def test_a_full_disk_is_no_failure_of_the_program(toolbox: Toolbox) -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(OSError, match="No space left") as caught:
        toolbox.run("seq", ["9"], stdout=full)
    assert caught.value.errno == errno.ENOSPC


def test_logs_stay_only_when_something_failed(toolbox: Toolbox, tmp_path: Path) -> None:
    box = Toolbox(toolbox.root, toolbox.architecture, tmp_path / "logs")
    box.run("true", [])
    assert list(box.logs.iterdir()) == []
    for _ in range(2):
        with pytest.raises(ToolError, match=r"false-\w+\.log"):
            box.run("false", [])
    assert len(list(box.logs.iterdir())) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_program_is_killed_with_its_children(
    toolbox: Toolbox, tmp_path: Path, error: type[BaseException]
) -> None:
    """`timeout` starts `sleep` as its child; both hold the fifo that this test reads to its end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ended = threading.Event()

    def read() -> None:
        fifo.read_bytes()
        ended.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def interrupted() -> Iterator[bytes]:
        yield b"x"
        time.sleep(0.3)
        assert not ended.is_set()
        raise error

    loader, *rest = toolbox.command("sleep", ["600"])
    with pytest.raises(error):
        toolbox.run("timeout", ["600", loader, *rest], stdin=interrupted(), log=fifo)
    assert ended.wait(60)


def test_an_interrupted_run_leaves_nothing_open(toolbox: Toolbox) -> None:
    toolbox.run("cat", [], stdin=[b"x"])
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(ZeroDivisionError) as caught:
        toolbox.run("cat", [], stdin=(bytes(1 // number) for number in (1, 0)))
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert caught.traceback, "it still knows of the process"


def test_a_library_of_this_machine_is_not_good_enough(toolbox: Toolbox, tmp_path: Path) -> None:
    """A toolbox whose C library is missing: the loader would take the one of the host, if that has one."""
    libraries = next(toolbox.root.glob("usr/lib/*-linux-gnu"))
    partial = tmp_path / "box" / libraries.relative_to(toolbox.root)
    partial.mkdir(parents=True)
    for library in libraries.glob("ld-linux*"):
        shutil.copy(library, partial)
    (tmp_path / "box/usr/bin").mkdir()
    shutil.copy(toolbox.find("env"), tmp_path / "box/usr/bin/env")
    box = Toolbox(tmp_path / "box", toolbox.architecture, tmp_path)
    with pytest.raises(ToolError, match="env"):
        box.run("env", [])
    # Where it could take that one, it is not started either.
    box.reach = (box.root, Path("/"))
    triplet = ARCHITECTURES[toolbox.architecture].triplet
    there = any(Path(directory, triplet, "libc.so.6").exists() for directory in ("/lib", "/usr/lib"))
    with pytest.raises(ToolError) as caught:
        box.run("env", [])
    assert not there or caught.value.what == "env would run with a library of this machine"
    assert not there or caught.value.why == "no package of the toolbox has libc.so.6"


def test_a_missing_program_and_a_foreign_architecture_are_named(toolbox: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no imaginary"):
        toolbox.find("imaginary")
    with pytest.raises(ToolError, match="riscv64"):
        Toolbox(toolbox.root, "riscv64", tmp_path)
    other = Toolbox(toolbox.root, {"amd64": "arm64", "arm64": "amd64"}[toolbox.architecture], tmp_path)
    with pytest.raises(ToolError, match="cannot be started"):
        other.run("env", [])


def test_what_it_lies_in_stays_in_the_store_as_long_as_it_is_there(tmp_path: Path) -> None:
    """Whoever runs QEMU from a store has long forgotten that store."""
    root = tmp_path / "store"
    store = Store(root)
    data = debs.deb("pigz", debs.directory("./usr"), debs.item("./usr/pigz", b"pigz"))
    package = replace(TOOL, sha256=store.add(data))
    toolbox = Toolbox.open(store, ProvedTools((package,), "amd64"), tmp_path / "logs")
    del store
    assert len(holds(root / "holds")) == 1
    watching = Store(root, looks_on=True)
    assert prune(watching, inventory(watching)).removed == ()
    assert (toolbox.root / "usr/pigz").is_file()
    del toolbox
    assert holds(root / "holds") == ()
