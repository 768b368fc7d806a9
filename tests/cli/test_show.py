"""``assemble show``: the recipe for people, and for programs."""

import json
import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest

from assembler.cli.main import call

BASE = """name = "base"
[args]
HOST = "node"
[rootfs]
packages = ["systemd-sysv", "systemd-timesyncd"]
hostname = "${HOST}"
root_password = "sekret"
"""
TOP = """extends = "base.toml"
name = "top"
[rootfs]
packages_add = ["chrony"]
packages_remove = ["systemd-timesyncd"]
first_boot = []
[profile.debug.rootfs]
packages_add = ["gdb"]
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(socket, "socket", None)  # nobody opens one
    Path("base.toml").write_text(BASE)
    Path("top.toml").write_text(TOP)


def test_it_prints_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["show", "top.toml", "--profile", "debug", "--arg", "HOST=other"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert tomllib.loads(out) == {
        "name": "top-debug",
        "args": {"HOST": "other", "ROOT_PASSWORD": "!"},
        "rootfs": {
            "packages": ["systemd-sysv", "chrony", "gdb"],
            "first_boot": [],
            "hostname": "other",
            "root_password": "${ROOT_PASSWORD}",
        },
    }
    for line in (
        '  "systemd-sysv",  # base.toml:5',
        '  "gdb",  # top.toml:8',
        "# rootfs.packages: systemd-timesyncd of base.toml:5 is removed by top.toml:5",
        'HOST = "other"  # base.toml:3, given by --arg',
    ):
        assert line in out.split("\n")
    assert not Path("store").exists()


def test_what_is_printed_is_shown_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["show", "top.toml"]) == 0
    first = capsys.readouterr().out
    Path("shown.toml").write_text(first)
    assert call(["show", "shown.toml"]) == 0
    assert tomllib.loads(capsys.readouterr().out) == tomllib.loads(first)


def events(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_values_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["show", "top.toml", "--profile", "debug", "--json"]) == 0
    found = events(capsys)
    assert found["event"] == "result"
    assert (found["recipe"], found["architecture"], found["profiles"]) == ("top.toml", "amd64", ["debug"])
    assert found["parts"] == [
        {"file": "base.toml", "table": ""},
        {"file": "top.toml", "table": ""},
        {"file": "top.toml", "table": "profile.debug"},
    ]
    values = {value.pop("key"): value for value in found["values"]}
    assert values["rootfs.packages[2]"] == {
        "path": ["rootfs", "packages", 2], "value": "gdb", "file": "top.toml", "line": 8,
    }  # fmt: skip
    assert values["rootfs.first_boot"]["value"] == []
    assert values["rootfs.hostname"]["arguments"] == ["HOST"]
    assert values["rootfs.root_password"]["withheld"]
    assert "rootfs" not in values
    assert found["removed"] == [
        {
            "key": "rootfs.packages", "value": "systemd-timesyncd", "file": "base.toml", "line": 5,
            "by": {"file": "top.toml", "line": 5},
        }
    ]  # fmt: skip
    assert found["replaced"] == [{"key": "name", "file": "base.toml", "line": 1, "by": {"file": "top.toml", "line": 2}}]
    assert "sekret" not in json.dumps(found)


def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("top.toml").write_text(f"{TOP}hostnam = 'x'\n")
    assert call(["show", "top.toml"]) == 1
    assert "top.toml:9:1 profile.debug.rootfs.hostnam: unknown key" in capsys.readouterr().err
