"""What is in images is given to diffoscope, a program of the host: confined, with a copy of the two files."""

from importlib import import_module
from pathlib import Path

import pytest

from assembler import api
from assembler.api.compare import LARGEST, PAIRS, PATIENCE, _Diffoscope, _written
from assembler.audit.compare import Bytes

MODULE = import_module("assembler.api.compare")
"""Its name in the package is that of the function."""


def of(data: bytes) -> Bytes:
    return lambda: iter([data])


def test_it_sees_the_pair_and_writes_nowhere(tmp_path: Path) -> None:
    program, secret = tmp_path / "diffoscope", tmp_path / "written"
    program.write_text(
        "#!/bin/sh\ncat $4 $5\necho $HOME $TMPDIR\necho fine > $TMPDIR/x && cat $TMPDIR/x\n"
        f"echo x > {secret}\necho x > $4\necho $4\n"
    )
    program.chmod(0o755)
    scope = _Diffoscope(str(program), "/usr/bin:/bin")
    scope.look("/usr/bin/-x;id", of(b"old\n"), of(b"new\n"))
    said = scope.said["/usr/bin/-x;id"]
    assert said.startswith("old\nnew\n")
    assert "\nfine\n" in said
    assert said.endswith("/a/file\n"), "no name of the image is on a command line"
    assert not secret.exists()
    home, temporary = said.splitlines()[2].split()
    assert home == temporary
    assert not Path(temporary).exists()


def test_one_that_cannot_be_started_is_told_of(tmp_path: Path) -> None:
    scope = _Diffoscope(str(tmp_path / "missing"), "/usr/bin")
    scope.look("/x", of(b""), of(b""))
    assert "No such file" in scope.said["/x"]


def test_as_many_pairs_as_are_worth_it(tmp_path: Path) -> None:
    program = tmp_path / "diffoscope"
    program.write_text("#!/bin/sh\necho complaint >&2\n")
    program.chmod(0o755)
    scope = _Diffoscope(str(program), "/usr/bin:/bin")
    scope.look("/x", of(b"a"), of(b"b"))
    assert scope.said == {"/x": "complaint\n"}, "what it says on standard error, when it says nothing else"
    scope.said = {str(number): "" for number in range(PAIRS - 1)}
    scope.look("/last", of(b"a"), of(b"b"))
    scope.look("/beyond", of(b"a"), of(b"b"))
    assert ("/last" in scope.said, "/beyond" in scope.said, PAIRS) == (True, False, 20)
    without = _Diffoscope(None, "/usr/bin")
    without.look("/x", of(b"a"), of(b"b"))
    assert without.said == {}


def test_one_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "diffoscope"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    assert PATIENCE == 120
    monkeypatch.setattr(MODULE, "PATIENCE", 0.2)
    scope = _Diffoscope(str(program), "/usr/bin:/bin")
    scope.look("/x", of(b"a"), of(b"b"))
    assert scope.said == {"/x": "diffoscope: it took more than 0.2 seconds"}


def test_large_files_are_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LARGEST == 64 << 20
    monkeypatch.setattr(MODULE, "LARGEST", 10)
    for chunks, fits in (([b"12345", b"67890"], True), ([b"12345", b"678901"], False), ([], True)):
        assert _written(tmp_path / "x", iter(chunks)) == fits
    assert (tmp_path / "x").read_bytes() == b""
    scope = _Diffoscope(str(tmp_path / "none"), "/usr/bin")
    for old, new in ((b"1" * 11, b""), (b"", b"1" * 11)):
        scope.look("/x", of(old), of(new))
    assert scope.said == {}


def test_who_is_asked_and_what_comes_of_it(tmp_path: Path) -> None:
    """Nobody, unless it is looked for and found; a page is written where it is wanted."""
    program, sides = tmp_path / "bin/diffoscope", [tmp_path / name for name in "ab"]
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho said\n")
    program.chmod(0o755)
    old, new = sides
    for side in sides:
        side.write_text(side.name)
    assert not api.compare(old, old)
    found = api.compare(old, new)
    assert (bool(found), dict(found.diffoscope), found.html) == (True, {}, None)
    for search, said in ((str(program.parent), {"a": "said\n"}), (str(tmp_path), {})):
        options = api.CompareOptions(diffoscope=search, html=tmp_path / "page.html")
        found = api.compare(old, new, options)
        assert (found.diffoscope, found.html) == (said, tmp_path / "page.html")
        assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
