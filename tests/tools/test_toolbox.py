import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assembler.tools.toolbox import Toolbox, ToolError


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


def test_a_missing_program_and_a_foreign_architecture_are_named(toolbox: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no imaginary"):
        toolbox.find("imaginary")
    with pytest.raises(ToolError, match="riscv64"):
        Toolbox(toolbox.root, "riscv64", tmp_path)
    other = Toolbox(toolbox.root, {"amd64": "arm64", "arm64": "amd64"}[toolbox.architecture], tmp_path)
    with pytest.raises(ToolError, match="cannot be started"):
        other.run("env", [])
