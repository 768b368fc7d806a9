"""Errors as people see them."""

import errno
from pathlib import Path

import click
import pytest

from assembler.cli import rendering
from assembler.errors import AssembleError, Place, Problems


def text(error: AssembleError) -> str:
    return click.unstyle(rendering.text(error))


def test_one_error_is_spread_out() -> None:
    error = AssembleError(
        "it broke", where=Place(file="f", line=3), why="of rain", hint="wait", details=["last line", "of the log"]
    )
    assert text(error) == "error: it broke\n  at: f:3\n  because: of rain\n  | last line\n  | of the log\n  hint: wait"
    assert text(AssembleError("it broke")) == "error: it broke"


def test_problems_with_a_place_take_a_line_each() -> None:
    first = AssembleError("wrong", where=Place("r.toml", 12, 5, "rootfs.packages[3]"), why="typo", hint="do x")
    second = AssembleError("bad", where=Place("r.toml", 13, 1, "name"))
    assert text(Problems([first, second])) == (
        "r.toml:12:5 rootfs.packages[3]: wrong: typo (do x)\nr.toml:13:1 name: bad\n2 errors"
    )
    assert text(Problems([second])) == "r.toml:13:1 name: bad"


def test_problems_with_details_or_without_a_file_are_spread_out() -> None:
    script = AssembleError("unhandled", where=Place(package="x postinst"), details=["rm -rf /"])
    assert text(Problems([script])) == "error: unhandled\n  at: x postinst\n  | rm -rf /"


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ENOTDIR, errno.EMFILE, errno.EIO]
)
def test_what_the_system_says(number: int) -> None:
    error = rendering.from_os_error(OSError(number, "x", "/some/file"))
    assert error
    assert error.where.file == "/some/file"
    assert error.hint


def test_file_names_of_all_kinds() -> None:
    for name in (b"/a\xff", Path("/a"), 3, None):
        assert rendering.from_os_error(OSError(errno.ENOSPC, "x", name))


def test_other_errors_of_the_system_are_defects() -> None:
    assert rendering.from_os_error(OSError(errno.ENOENT, "x")) is None
    assert rendering.from_os_error(OSError("no number")) is None


def defect(password: str) -> Exception:
    with pytest.raises(KeyError) as caught:
        _ = dict[int, int]()[len(password)]
    return caught.value


def test_defects_leave_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    error = rendering.from_defect(defect("hunter22"))
    (log,) = tmp_path.iterdir()
    assert str(log) in error.hint
    assert error.why == "KeyError: 8"
    assert error.details == ()
    assert "Traceback" in log.read_text()
    assert "hunter22" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_defects_without_room_for_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    error = rendering.from_defect(defect("x"))
    assert any("Traceback" in line for line in error.details)
