"""Arguments of a recipe from files and standard input: nothing of them is in the list of processes or in an error."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from assembler.api.reproduce import _private
from assembler.audit.environments import plain
from assembler.cli.main import call
from assembler.cli.session import recipe_options
from assembler.recipe.given import Arguments


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))


@click.command()
@recipe_options
@click.option("--other", default="")
def shown(args: Arguments, other: str, project: None, allow_read: tuple[()]) -> None:  # noqa: ARG001  not looked at
    click.echo(json.dumps([args, sorted(args.open), other]))


def given(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, str], list[str]]:
    shown.main(list(arguments), standalone_mode=False)
    args, on_command_line, _ = json.loads(capsys.readouterr().out)
    return args, on_command_line


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"secret\n", "secret"),
        (b"secret", "secret"),
        (b"secret\r\n", "secret"),
        (b"two\nlines\n\n", "two\nlines\n"),
        (b" a=b \xc3\xa9\n", " a=b é"),
        (b"", ""),
        (b"\n", ""),
    ],
)
def test_from_a_file(
    data: bytes, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("with=sign").write_bytes(data)
    assert given("--arg-file", "A=with=sign", "--arg", "B=x", capsys=capsys) == ({"A": value, "B": "x"}, ["B"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert given("--arg-file", "A=-", capsys=capsys) == ({"A": value}, [])


def test_from_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """As bash gives it with <( )."""
    reading, writing = os.pipe()
    os.write(writing, b"secret")
    os.close(writing)
    assert given("--arg-file", f"A=/dev/fd/{reading}", capsys=capsys)[0] == {"A": "secret"}
    os.close(reading)


def test_a_terminal_is_asked_without_echo() -> None:
    ours, theirs = pty.openpty()
    program = "from tests.cli.test_arguments import shown; shown.main(['--arg-file', 'A=-'])"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0),  # noqa: PLW1509  TIOCSCTTY
    )
    os.close(theirs)
    said = b""
    while b"A:" not in said:
        said += os.read(ours, 100)
    os.write(ours, b"se cret\n")
    out, _ = process.communicate(timeout=20)
    assert json.loads(out)[0] == {"A": "se cret"}
    said += b"".join(rest(ours))
    assert b"cret" not in said


def rest(descriptor: int) -> Iterator[bytes]:
    try:
        while data := os.read(descriptor, 100):
            yield data
    except OSError:
        pass


def test_an_audit_hands_them_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To builds of its own, which others see in the list of processes."""
    args = {"A": "hunter2", "B": "two\nlines\n", "C": "end\r", "D": "", "E": "é=\r\n"}
    here = plain(tmp_path / "a", tmp_path, python="", search="", processors=1)
    here.directory.mkdir()
    options = _private(here, args)
    assert "hunter2" not in " ".join(options)
    assert given(*options, capsys=capsys) == (args, [])
    paths = [here.directory / "args", *(here.directory / "args").iterdir()]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o700, *[0o600] * len(args)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arg-file", "A=none"], "the value of A cannot be read from none: No such file"),
        (["--arg-file", "A=."], "the value of A cannot be read from .: Is a directory"),
        (["--arg-file", "A=binary"], "the value of A in binary is not UTF-8"),
        (["--arg-file", "A=/dev/zero"], "the value of A in /dev/zero has more than 1 MiB"),
        (["--arg-file", "A=binary", "--arg", "A=hunter2"], "A is given both with --arg and with --arg-file"),
        (["--arg-file", "A=-", "--arg-file", "B=-"], "standard input has one value only"),
        (["--arg", "hunter2"], "what is given is not NAME=VALUE"),
        (["--arg", "A=hunter2\udcff"], "what is given is not UTF-8"),
    ],
)
def test_wrong(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("binary").write_bytes(b"hunter2\xff")
    Path("r.toml").write_text("name = 'x'\nargs.A = ''\n")
    for command in (["r.toml"], ["lock", "r.toml"], ["check", "r.toml"], ["audit", "r.toml", "--out", "o"]):
        assert call([*command, *arguments]) == 2
        printed = capsys.readouterr().err
        assert said in " ".join(printed.split())
        assert "hunter2" not in printed


@pytest.mark.parametrize(
    ("arguments", "warnings"),
    [
        (["--arg", "P=hunter22"], 1),
        (["--arg", "P=$6$salt$" + "a" * 86], 1),
        (["--arg-file", "P=password"], 0),
        (["--arg", "P=!"], 0),
        (["--arg", "HOST=node"], 0),
    ],
)
def test_a_password_on_the_command_line_is_warned_of(
    arguments: list[str], warnings: int, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("password").write_text("hunter22\n")
    Path("r.toml").write_text(
        "name = 'x'\nargs = { P = 'other', HOST = 'x' }\nrootfs.root_password = '${P}'\nrootfs.hostname = '${HOST}'\n"
    )
    assert call(["r.toml", "--locked", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.count("warning: root's password is on the command line, which every user here can see") == warnings
    assert "hunter22" not in said


@pytest.mark.parametrize(
    "value", ["hunter2-hunter2", "hunter2 'hunter2'", "hunter2." * 20, "hunter2\t\x1b", "éhunter2"]
)
def test_where_it_does_not_fit_it_is_not_shown(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by mistake nor because a stranger's recipe wants it to be in a log."""
    Path("secret").write_text(value)
    Path("r.toml").write_text("""\
name = 'x'
args.A = ''
debian.mirror = '${A}'
debian.sources = 'URIs: ${A}'
rootfs.hostname = '-${A}'
rootfs.timezone = '/${A}'
rootfs.packages = ['${A}_', '${A}_']
rootfs.enable = ['${A}']
rootfs.files = [{ path = '/a', source = '${A}' }, { path = '${A}', content = '' }]
livecd.compression = '${A}'
""")
    for command in (["r.toml"], ["r.toml", "--json"], ["lock", "r.toml"], ["check", "r.toml"]):
        assert call([*command, "--offline", "--arg-file", "A=secret"]) == 1
        said = "".join(capsys.readouterr())
        assert "hunter2" not in said
        assert "rootfs.hostname" in said
    assert call(["r.toml", "--arg", f"A={value}"]) == 1
    assert "hunter2" in capsys.readouterr().err
