"""The program as people and scripts call it: forms, exit statuses, what is said and where."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from assembler.cli.main import call, cli
from assembler.recipe import schema

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, and no settings from whoever runs the tests."""
    for name in ("ASSEMBLE_MIRROR", "ASSEMBLE_STORE", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="assemble")


def write(text: str, name: str = "r.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


# --- forms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ()])
def test_help_shows_both_forms(arguments: tuple[str, ...]) -> None:
    output = invoke(*arguments).output
    assert output.startswith("Usage: assemble RECIPE.toml [OPTIONS]\n       assemble COMMAND [ARGUMENTS]\n")
    for text in (
        "--arg NAME=VALUE",
        "--offline",
        "--locked",
        "  build ",
        "  lock ",
        "  run ",
        "  schema ",
        "--version",
    ):
        assert text in output


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_help_of_commands(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: assemble {command} ")


def test_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert invoke("--version").output == f"assemble {project['version']}\n"


def test_starting_is_light() -> None:
    """Help and usage errors must not wait for what only building needs."""
    code = "import sys, assembler.cli.main; print(*sorted({'pydantic', 'rich', 'requests', 'yaml'} & {*sys.modules}))"
    assert subprocess.check_output([sys.executable, "-P", "-c", code], cwd=ROOT, text=True) == "\n"


@pytest.mark.parametrize("arguments", [("r.toml",), ("build", "r.toml"), ("--out", "o", "r.toml"), ("-q", "r.toml")])
def test_a_recipe_is_built_in_every_form(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    write("name = 'x'\n[rootfs]\nhostnam = 'h'")
    assert call(arguments) == 1
    assert capsys.readouterr().err == "r.toml:3:1 rootfs.hostnam: unknown key (did you mean hostname?)\n"


def test_a_recipe_with_the_name_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    write("nam = 'x'", "lock")
    assert call(["./lock"]) == 1
    assert "lock:1:1 nam: unknown key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lokc", "error: there is neither a command nor a recipe lokc\n  hint: did you mean lock?\n"),
        ("zzz", "error: there is neither a command nor a recipe zzz\n  hint: assemble --help lists the commands; "),
        ("zzz.toml", "zzz.toml: the recipe is missing: there is no zzz.toml\n"),
        ("./zzz", "zzz: the recipe is missing: there is no zzz\n"),
        ("z" * 5000, "error: there is neither a command nor a recipe zzz"),
    ],
)
def test_neither_command_nor_recipe(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call([name]) == 1
    assert capsys.readouterr().err.startswith(said)


# --- usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense"], "No such option"),
        (["r.toml", "more.toml"], "unexpected extra argument"),
        (["r.toml", "--arg", "NAME"], "'NAME' is not NAME=VALUE"),
        (["r.toml", "--arg", "=x"], "what is given is not NAME=VALUE"),
        (["r.toml", "--arg-file", "NAME"], "'NAME' is not NAME=PATH"),
        (["r.toml", "--jobs", "0"], "0 is not in the range"),
        (["lock"], "Missing argument"),
        (["run", "--memory", "2T"], "'2T' is not a size"),
        (["run", "--memory", "64M"], "'64M' is not a size of at least 128M"),
        (["run", "--cpus", "0"], "neither a number nor 'all'"),
        (["run", "--expect", "("], "no regular expression"),
        (["run", "--ssh-port", "99999"], "not in the range"),
        (["run", "--firmware", "coreboot"], "'coreboot' is not one of"),
        (["run", "--timeout", "0"], "not in the range"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Usage: assemble" in captured.err
    assert captured.out == ""


def test_values_of_arguments_may_hold_anything(capsys: pytest.CaptureFixture[str]) -> None:
    write("name = 'x'\nargs.A = ''\nrootfs.hostname = '${A}'")
    assert call(["r.toml", "--arg", "A=a=b c"]) == 1
    assert "'a=b c' is not a host name" in capsys.readouterr().err


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "arguments", "warning"),
    [
        ("rootfs.root_password = 'root'", [], "change it with rootfs.root_password"),
        ("args.ROOT_PASSWORD = 'root'\nrootfs.root_password = '${ROOT_PASSWORD}'", [], "--arg-file ROOT_PASSWORD=FILE"),
        ("args.P = 'root'\nrootfs.root_password = '${P}'", ["--arg", "P=secret"], ""),
        ("", [], ""),
    ],
)
def test_the_known_password_is_warned_of(
    text: str, arguments: list[str], warning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(f"name = 'x'\n{text}")
    assert call(["r.toml", "--locked", "--quiet", *arguments]) == 1
    said = capsys.readouterr().err
    assert ("warning: root's password is 'root', which everybody knows" in said) == bool(warning)
    assert warning in said


@pytest.mark.parametrize("option", ["--locked", "--offline"])
def test_no_lock(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("name = 'x'")
    assert call(["r.toml", option]) == 1
    assert capsys.readouterr().err == (
        "error: there is no lock\n  at: x.lock.toml\n  hint: make one with assemble lock, which needs the network\n"
    )


def test_errors_as_events(capsys: pytest.CaptureFixture[str]) -> None:
    write("name = 'x'\nnam = 1\narch = 'z'")
    assert call(["r.toml", "--json"]) == 1
    captured = capsys.readouterr()
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert [(event["event"], event["where"]["line"], event["where"]["key"]) for event in events] == [
        ("error", 2, "nam"),
        ("error", 3, "arch"),
    ]
    assert captured.err.endswith("2 errors\n")


def test_a_former_name_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["audit", "--help"]) == call(["reproduce", "--help"]) == 0
    said = capsys.readouterr().out
    half = len(said) // 2
    assert said[:half] == said[half:]
    assert said.startswith("Usage: assemble reproduce ")
    assert call(["--help"]) == 0
    assert "(alias: audit)" in " ".join(capsys.readouterr().out.split())


def test_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    call(["zzz.toml"])
    assert "\x1b" not in capsys.readouterr().err
    monkeypatch.setenv("FORCE_COLOR", "1")
    call(["zzz.toml"])
    assert "\x1b[1mzzz.toml:\x1b[0m" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    call(["zzz.toml"])
    assert "\x1b" not in capsys.readouterr().err


def test_schema() -> None:
    assert invoke("schema").output == schema.text()


def test_nothing_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run"]) == 1
    assert "there is no build here\n  at: out/manifest.json" in capsys.readouterr().err


# --- ends ------------------------------------------------------------------------------------------------------------


def test_defects_are_owned_up_to(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(schema, "text", lambda: 1 / 0)
    assert call(["schema"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: this is a defect of the assembler\n  because: ZeroDivisionError: division by zero\n")
    assert "Traceback" not in said
    found = re.search(r"/\S+\.log", said)
    assert found
    log = Path(found[0])
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_full_disk() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "assembler", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the disk is full\n")
    assert b"Traceback" not in done.stderr


def test_a_reader_who_has_enough() -> None:
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "assembler", "schema"],
        stdout=written,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        check=False,
    )
    os.close(written)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.fixture
def silent_mirror() -> Iterator[str]:
    """Address of a server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/debian"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(number: signal.Signals, status: int, silent_mirror: str, directory: Path) -> None:
    write("name = 'x'")
    environ = {**os.environ, "ASSEMBLE_MIRROR": silent_mirror, "no_proxy": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    # A shell starts what runs in the background with SIGINT ignored, which would be inherited.
    command = ["env", "--default-signal=INT", sys.executable, "-P", "-m", "assembler", "lock", "r.toml"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "archives ...\n"
        time.sleep(0.2)
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait() == status
    assert "Traceback" not in said
    assert not list(directory.glob("*.lock.toml"))


def test_a_strangers_kernel_is_not_compiled(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("name = 'x'\nkernel.source = 'vanilla'\nkernel.package = 'linux-source-6.12'")
    assert call(["r.toml", "--no-compile"]) == 1
    assert "--no-compile rules out" in capsys.readouterr().err
    assert os.listdir(directory) == ["r.toml"], "nothing has been locked or fetched"  # noqa: PTH208  names, in a test


@pytest.mark.parametrize("page", ["missing/page.html", "a/page.html"])
def test_a_page_that_has_no_place(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    assert call(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--html", str(tmp_path / page)]) == 1
    said = capsys.readouterr().err
    assert f"error: the page cannot be written\n  at: {tmp_path / page}" in said
