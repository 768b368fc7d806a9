import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.architecture import AMD64, ARM64
from assembler.boot.grub_config import grub_config, loopback_config, parameters, quoted
from assembler.boot.loader import Live
from assembler.errors import AssembleError
from assembler.image.names import ISO_INITRD, ISO_KERNEL
from assembler.tools.toolbox import Toolbox


def live(**changes: Any) -> Live:
    paths = {"kernel": ISO_KERNEL, "initrd": ISO_INITRD}
    given: dict[str, Any] = {"title": "node", "identity": "x", "medium": "5ea1", "architecture": AMD64, **paths}
    return Live(**given | changes)


def config(**changes: Any) -> str:
    return grub_config(live(**changes), "/.disk/id/0123")


def kernel_lines(text: str) -> dict[str, list[str]]:
    """Words of the linux command by the id of its entry."""
    found = {}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["menuentry"]:
            name = words[words.index("--id") + 1]
        elif words[:1] == ["linux"]:
            found[name] = words[1:]
    return found


@pytest.mark.parametrize("title", ["node", 'it\'s a "node" $HOME; {x} & \\', "Knoten ü"])
def test_grub_accepts_it(toolbox: Toolbox, tmp_path: Path, title: str) -> None:
    path = tmp_path / "grub.cfg"
    path.write_text(config(title=title, cmdline='quiet foo="a b" x=$y;z', state="LABEL=A B"))
    assert toolbox.run("grub-script-check", [path], reads=[path]) == ""


def test_entries() -> None:
    found = kernel_lines(config(cmdline="quiet", state="LABEL=STATE"))
    common = ["livecd.medium=5ea1", "console=tty0", "console=ttyS0,115200", "quiet"]
    assert found == {
        "normal": ["/boot/vmlinuz", "livecd.state=LABEL=STATE", *common],
        "no-state": ["/boot/vmlinuz", "livecd.state=none", *common],
        "rescue": ["/boot/vmlinuz", "livecd.state=LABEL=STATE", "livecd.rescue", *common],
    }
    assert "set timeout=7\n" in config(timeout=7)
    assert kernel_lines(config(architecture=ARM64))["normal"][-1].startswith("console=ttyAMA0")


def test_the_menu_for_an_iso_that_is_a_file(toolbox: Toolbox, tmp_path: Path) -> None:
    text = loopback_config(live(cmdline="quiet foo=$y"))
    own = kernel_lines(config(cmdline="quiet foo=$y"))
    assert kernel_lines(text) == {name: [*words, "iso-scan/filename=$iso_path"] for name, words in own.items()}
    assert "search" not in text, "whoever mounted the file has set the root"
    path = tmp_path / "loopback.cfg"
    path.write_text(text)
    assert toolbox.run("grub-script-check", [path], reads=[path]) == ""


def test_parameters_are_split_as_the_kernel_does() -> None:
    assert parameters('  a b="c d" "e f=g h"\ti ') == ["a", "b=c d", "e f=g h", "i"]
    assert parameters("") == []


@pytest.mark.parametrize("cmdline", ['a="b', "a\\b", "it's", "a\nb", "a\x00"])
def test_parameters_that_grub_would_change_are_refused(cmdline: str) -> None:
    with pytest.raises(AssembleError):
        parameters(cmdline)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_quoting_makes_one_word(text: str) -> None:
    assert shlex.split(quoted(text)) == [text]
