"""Completion of command lines: what follows what, and that real shells show it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.image.names import LAYERS
from assembler.tools.toolbox import Toolbox
from tests.cli.terminal import Terminal, on_terminal
from tests.support.host_commands import need

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "assembler/cli/completions"
SHOWN = rb"<(.*?)>"


def ask(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Kind and text of what may follow `line`."""
    monkeypatch.setenv("_ASSEMBLE_COMPLETE", "bash_complete")
    monkeypatch.setenv("_ASSEMBLE_LINE", line)
    with pytest.raises(SystemExit) as ended:
        call([])
    assert ended.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    answers = [tuple(answer.split("\t")) for answer in out.splitlines() if answer]
    return [(kind, value) for kind, value, _ in answers]


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("assemble lo", [("plain", "lock"), ("suffix", ".toml")]),
        ("assemble recipes/x", [("suffix", ".toml")]),
        ("assemble build x", [("suffix", ".toml")]),
        ("assemble lock builtin:k8s.", [("plain", "builtin:k8s.toml"), ("suffix", ".toml")]),
        ("assemble lock x", [("suffix", ".toml")]),
        ("assemble check x", [("suffix", ".toml")]),
        ("assemble reproduce x", [("suffix", ".toml")]),
        ("assemble --off", [("plain", "--offline")]),
        ("assemble --vers", [("plain", "--version")]),
        ("assemble x.toml --off", [("plain", "--offline")]),
        ("assemble x.toml --only k", [("plain", "kernel"), ("plain", "kubernetes")]),
        ("assemble x.toml --skip ", [("plain", layer) for layer in LAYERS]),
        ("assemble x.toml --only kernel --out=o", [("dir", "o")]),
        ("assemble x.toml --out ", [("dir", "")]),
        ("assemble verify i", [("file", "i")]),
        ("assemble sbom i.iso --format s", [("plain", "spdx")]),
        ("assemble 'my recipe.toml' --loc", [("plain", "--locked")]),
        ("assemble 'not ended", [("suffix", ".toml")]),
        ("assemble x.toml --out $'\\xff' --loc", [("plain", "--locked")]),
        ("assemble x.toml --out \udcff", [("dir", "?")]),
        ("assemble nothing --like --this --json --qu", [("plain", "--quiet")]),
        ("assemble lock x.toml ", []),
    ],
)
def test_what_may_follow(
    line: str,
    answers: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask(line, monkeypatch, capsys) == answers


def test_profiles_of_the_recipe_that_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.toml").write_text("[profile.debug.rootfs]\n[profile.lab.rootfs]\n")
    Path("top.toml").write_text('extends = "base.toml"\nprofile.desk = {}\n')
    for command in ("", "build ", "lock ", "show ", "check "):
        assert ask(f"assemble {command}top.toml --profile de", monkeypatch, capsys) == [
            ("plain", "debug"),
            ("plain", "desk"),
        ]
    for recipe in ("none.toml", "builtin:none.toml", "/", "''"):
        assert ask(f"assemble build {recipe} --profile ", monkeypatch, capsys) == []
    Path("top.toml").write_text("profile = [")
    assert ask("assemble build top.toml --profile ", monkeypatch, capsys) == []


@pytest.mark.parametrize("line", ["", "assemble", "assemble "])
def test_commands_and_recipes_come_first(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ask(line, monkeypatch, capsys)
    assert {("plain", "build"), ("plain", "run"), ("plain", "verify"), ("suffix", ".toml")} <= set(answers)
    assert not any(value.startswith("-") for _, value in answers)


def test_every_option_of_the_main_form_is_offered_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ask("assemble -", monkeypatch, capsys)
    assert {("plain", "--out"), ("plain", "--explain"), ("plain", "--version"), ("plain", "--help")} <= set(answers)
    assert len(answers) == len(set(answers))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["completion", shell]) == 0
    assert capsys.readouterr().out == (SCRIPTS / f"assemble.{shell}").read_text("utf-8")


def test_other_shells_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["completion", "csh"]) == 2
    assert "'bash', 'fish', 'zsh'" in capsys.readouterr().err


def test_shellcheck_finds_nothing() -> None:
    subprocess.run([need("shellcheck", "shellcheck"), SCRIPTS / "assemble.bash"], check=True)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of somebody who has installed it, in whose directory are recipes."""
    programs, directory = tmp_path / "bin", tmp_path / "work"
    programs.mkdir()
    (directory / "recipes/more").mkdir(parents=True)
    for name in ("node.toml", "recipes/livecd.toml", "recipes/other.txt"):
        (directory / name).write_text("")
    assemble = programs / "assemble"
    command = shlex.join([sys.executable, "-P", "-m", "assembler"])
    assemble.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {command} "$@"\n')
    assemble.chmod(0o755)
    return {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


LINES = [
    ("assemble lo", "assemble lock "),
    ("assemble n", "assemble node.toml "),
    ("assemble recipes/", "assemble recipes/"),  # a directory, and a recipe
    ("assemble recipes/l", "assemble recipes/livecd.toml "),
    ("assemble builtin:k8s.", "assemble builtin:k8s.toml "),
    ("assemble node.toml --out=rec", "assemble node.toml --out=recipes/"),
    ("assemble node.toml --only ku", "assemble node.toml --only kubernetes "),
]


@contextmanager
def typing(terminal: Terminal, setup: str) -> Iterator[None]:
    """Once `setup` has been carried out."""
    terminal.type(f"{setup}; printf 'rea''dy\\n'\n")
    terminal.wait_for(rb"ready\r?\n")
    yield


def test_bash(environment: dict[str, str], tmp_path: Path) -> None:
    bash = need("bash", "bash")
    setup = (
        f"PS1= PS2=; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source {SCRIPTS}/assemble.bash;"
        r""" shown() { printf '<%s>' "$READLINE_LINE"; READLINE_LINE=; }; bind -x '"\C-x": shown'"""
    )
    command = [bash, "--norc", "--noprofile", "-i"]
    with on_terminal(command, tmp_path / "work", environment) as terminal, typing(terminal, setup):
        for typed, completed in LINES:
            terminal.type(f"{typed}\t\x18")
            assert terminal.wait_for(SHOWN)[1].decode() == completed


def test_zsh(environment: dict[str, str], tmp_path: Path, toolbox: Toolbox) -> None:
    modules = next(toolbox.root.glob("usr/lib/*/zsh/*"))
    functions = toolbox.root / "usr/share/zsh/functions"
    setup = (
        f"module_path=({modules}); fpath=({functions}/**/*(/)); PS1= RPS1=; zmodload zsh/zle zsh/complete zsh/complist"
        f" zsh/computil zsh/zutil; setopt zle; autoload -Uz compinit; compinit -D -u; source {SCRIPTS}/assemble.zsh;"
        """ shown() { print -rn -- "<$BUFFER>"; BUFFER= }; zle -N shown; bindkey '^X' shown"""
    )
    command = toolbox.command("zsh", ["-f", "-i", "+Z"])
    with on_terminal(command, tmp_path / "work", environment) as terminal, typing(terminal, setup):
        for typed, completed in LINES[1:6:2]:
            terminal.type(f"{typed}\t\x18")
            assert terminal.wait_for(SHOWN)[1].decode() == completed


def test_fish(environment: dict[str, str], tmp_path: Path, toolbox: Toolbox) -> None:
    asked = [*(line for line, _ in LINES[:6]), "assemble verify n"]
    questions = "; ".join(f"complete -C {shlex.quote(line)}; echo =" for line in asked)
    script = f"source {SCRIPTS}/assemble.fish; {questions}"
    done = subprocess.run(
        toolbox.command("fish", ["--no-config", "-c", script]),
        cwd=tmp_path / "work",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [[each.split("\t")[0] for each in part.splitlines()] for part in done.stdout.split("=\n")]
    assert done.stderr == ""
    assert answers == [
        ["lock"],
        ["node.toml"],
        ["recipes/livecd.toml", "recipes/more/"],
        ["recipes/livecd.toml"],
        ["builtin:k8s.toml"],
        ["--out=recipes/"],
        ["node.toml"],
        [],
    ]


def test_an_answer_starts_no_build(environment: dict[str, str], tmp_path: Path) -> None:
    """Nothing is read or made for an answer, whatever the line says."""
    line = "assemble node.toml --arg-file A=/dev/stdin --out made --"
    settings = {**os.environ, **environment, "_ASSEMBLE_COMPLETE": "bash_complete", "_ASSEMBLE_LINE": line}
    subprocess.run([tmp_path / "bin/assemble"], cwd=tmp_path / "work", env=settings, check=True, timeout=60)
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["node.toml", "recipes"]
