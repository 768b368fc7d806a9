"""What a recipe says of the initrd, alone and on top of others, and how it is carried on a medium."""

import tomllib
from pathlib import Path

import pytest

from assembler.errors import Problems
from assembler.recipe.initrd import Initrd
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import portable

BASE = """
name = "base"
[initrd]
modules = ["bonding", "8021q"]
firmware = ["bnx2x/*"]
from_image = ["/usr/sbin/ethtool", "/etc/ssl/*"]
[[initrd.files]]
path = "/etc/modprobe.d/a.conf"
content = "options a b=${VALUE}\\n"
[[initrd.files]]
path = "/usr/bin/look"
source = "look"
mode = "0755"
[args]
VALUE = "1"
"""


def on_top(directory: Path, text: str = "") -> LoadedRecipe:
    (directory / "look").write_text("#!/bin/sh\n")
    (directory / "base.toml").write_text(BASE)
    (directory / "top.toml").write_text(f"extends = 'base.toml'\nname = 'top'\n{text}")
    return load(directory / "top.toml")


def wrong(directory: Path, text: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        on_top(directory, text)
    return [str(error).removeprefix(f"{directory}/top.toml:") for error in caught.value.errors]


def test_recipes_on_top_add_and_take_away(tmp_path: Path) -> None:
    loaded = on_top(
        tmp_path,
        """
        [initrd]
        modules_remove = ["8021q"]
        modules_add = ["i40e"]
        firmware_remove = ["bnx2x/*"]
        from_image_add = ["/usr/bin/strace"]
        microcode = "none"
        [[initrd.files_add]]
        path = "/usr/bin/look"
        content = "mine"
        """,
    )
    found = loaded.recipe.initrd
    assert (found.modules, found.firmware, found.microcode) == (["bonding", "i40e"], [], "none")
    assert found.from_image == ["/usr/sbin/ethtool", "/etc/ssl/*", "/usr/bin/strace"]
    assert [(file.path, file.content) for file in found.files] == [
        ("/etc/modprobe.d/a.conf", "options a b=1\n"),
        ("/usr/bin/look", "mine"),
    ]
    assert on_top(tmp_path, "initrd.files_remove = ['/usr/bin/look']").files == {}
    assert Initrd().microcode == "auto"


def test_it_has_no_say_in_what_is_locked(tmp_path: Path) -> None:
    (tmp_path / "plain.toml").write_text("name = 'top'")
    loaded, plain = on_top(tmp_path), load(tmp_path / "plain.toml")
    assert loaded.inputs_sha256 == plain.inputs_sha256
    assert loaded.sha256 != plain.sha256


def test_on_a_medium_it_is_complete(tmp_path: Path) -> None:
    carried = portable(on_top(tmp_path))
    values = tomllib.loads(carried["recipe.toml"].decode())["initrd"]
    name = values["files"][1]["source"]
    assert name.startswith("files/")
    assert carried[name] == b"#!/bin/sh\n"
    for path, data in carried.items():
        (tmp_path / "medium" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "medium" / path).write_bytes(data)
    again = load(tmp_path / "medium/recipe.toml")
    assert portable(again) == carried
    assert [file.data for file in again.files.values()] == [b"#!/bin/sh\n"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modules_add = ['a b=1']", "initrd.modules_add[0]: 'a b=1' is not a name of a module"),
        ("modules_add = ['a.ko']", "initrd.modules_add[0]: 'a.ko' is not a name of a module"),
        ("modules = ['a', 'a']", "initrd.modules[1]: 'a' is listed twice"),
        ("modules_remove = ['8021']", "initrd.modules_remove[0]: no recipe below has it in modules"),
        ("firmware = ['/usr/lib/firmware/a']", "initrd.firmware[0]: '/usr/lib/firmware/a' is not a file of firmware"),
        ("firmware = ['../a']", "initrd.firmware[0]: '../a' is not a file of firmware"),
        ("from_image = ['ethtool']", "initrd.from_image[0]: 'ethtool' is not a path pattern"),
        ("from_image = ['/a', '/a']", "initrd.from_image[1]: '/a' is listed twice"),
        ("microcode = 'intel'", "initrd.microcode: 'intel' is not one of auto, none"),
        ("module = ['a']", "initrd.module: unknown key (did you mean modules?)"),
        ("files_add = [{ path = '/a' }]", "initrd.files_add[0]: says nothing of what the file is"),
        ("files_add = [{ path = '/a', content = '', link = 'b' }]", "initrd.files_add[0].link: contradicts content"),
        ("files_add = [{ path = '/a', link = 'b', mode = '0755' }]", "initrd.files_add[0].mode: a symbolic link"),
        ("files_add = [{ path = '/a', content = '', owner = 'b' }]", "initrd.files_add[0].owner: unknown key"),
        ("files_add = [{ path = '/a', source = 'lok' }]", "initrd.files_add[0].source: the file is missing"),
        (
            "files_add = [{ path = '/a', content = 'x', mode = '0600' }]",
            "initrd.files_add[0].mode: everybody who has the medium can read what is in the initrd",
        ),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    (error,) = wrong(tmp_path, f"[initrd]\n{text}\n")
    assert error.startswith("4:"), error
    assert said in error
