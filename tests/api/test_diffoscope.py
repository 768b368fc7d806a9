"""What is in images is given to diffoscope, a program of the host: confined, with a copy of the two files."""

from pathlib import Path

from assembler.api.compare import _Diffoscope
from assembler.audit.compare import Bytes


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
