"""``assemble run`` with a machine that starts at once: a boot sector in the place of an ISO."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.vm.qemu import Emulator
from tests.vm.conftest import emulator, free_port, write_sector  # noqa: F401  fixtures


@pytest.fixture
def run(
    emulator: Emulator,  # noqa: F811  the fixture
    write_sector: Callable[[Path], Path],  # noqa: F811  the fixture
    free_port: int,  # noqa: F811  the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., int]:
    """Calls ``assemble run`` where the locked QEMU is the host's own and out/ holds a build."""
    program = tmp_path / "bin/qemu-system-x86_64"
    program.parent.mkdir()
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in emulator.environment.items())
    program.write_text(f'#!/bin/sh\nexec env {variables} {shlex.join(emulator.command)} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").write_text('{"name": "x", "architecture": "amd64"}')
    write_sector(tmp_path / "out/node.iso")
    options = ["--as", "disk", "--memory", "128M", "--cpus", "1", "--accel", "tcg", "--ssh-port", str(free_port)]

    def start(*arguments: str) -> int:
        return call(["run", *options, *arguments])

    return start


def test_the_console_shows_what_is_expected(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--expect", "sector is (up)", "--timeout", "120") == 0
    captured = capsys.readouterr()
    assert "sector is up" in captured.out
    assert captured.err == ""
    assert Path("var.qcow2").stat().st_size < 1 << 20


def test_as_events(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--expect", "is up", "--json", "--disk", "other.qcow2") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"event": "result", "matched": "is up"}
    assert "sector is up" in captured.err
    assert Path("other.qcow2").exists()
    assert not Path("var.qcow2").exists()


def test_the_console_does_not_show_it(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--expect", "login:", "--timeout", "3") == 1
    said = capsys.readouterr().err
    assert "the console did not show 'login:' within 3 s" in said


def test_no_seed_for_the_key(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    Path("k.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOXony4Qv3ebzXeKIEsLABn9H2NA9c+9wbEJmn82i3DE x\n")
    assert run("--ssh-key", "k.pub", "--expect", "x") == 1
    assert "there is no cloud-init seed to put the SSH key into" in capsys.readouterr().err
    assert not Path("var.qcow2").exists()


@pytest.mark.parametrize(
    "option",
    [
        *(["--memory", size] for size in ("128", "128M", "1G", "2GiB", "512mb", "131072")),
        *(["--cpus", number] for number in ("all", "1", "999")),
        *(["--ssh-port", port] for port in ("1", "65535")),
        *(["--timeout", "0.1"], ["--expect", "x$"], ["--firmware", "uefi"]),
    ],
)
def test_options_that_are_taken(option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "--out", str(tmp_path), "--store", str(tmp_path / "store"), *option]) == 1
    assert "there is no build here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        *((["--memory", size], "is not a size of at least 128M") for size in ("127M", "0G", "", "2T", "-1G", "1" * 10)),
        *((["--cpus", number], "is neither a number nor 'all'") for number in ("0", "1000", "-1", "x", "01")),
        *((["--ssh-port", port], "is not in the range") for port in ("0", "65536")),
        (["--timeout", "0"], "is not in the range"),
        (["--expect", "("], "'(' is no regular expression: "),
        (["--firmware", "none"], "is not one of"),
    ],
)
def test_options_that_are_not(option: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", *option]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
