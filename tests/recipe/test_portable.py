"""A recipe taken along is the recipe that it came from."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler.errors import Problems
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import portable, withheld

RECIPE = """\
name = "x"
args.HOST = "node-1"
[rootfs]
hostname = "${HOST}"
root_password = "secret"
packages = ["hello"]
files = [
  { path = "/etc/a", content = "a 'b' \\"c\\" $HOME $${NAME} $$${NAME}\\n\\t\\u007f" },
  { path = "/etc/b", source = "host file" },
  { path = "/etc/key", source = "key", mode = "0600" },
  { path = "/etc/token", content = "secret: ${HOST}", owner = "root", mode = "0640" },
]
[livecd]
compression_level = 7
[cloudinit]
user_data = "user-data"
"""
HASHED = "$6$salt$" + "x" * 86


def directory_of(directory: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory / "recipe.toml"


@pytest.fixture
def first(tmp_path: Path) -> LoadedRecipe:
    (tmp_path / "r.toml").write_text(RECIPE)
    (tmp_path / "host file").write_bytes(b"\0bytes")
    (tmp_path / "key").write_bytes(b"secret key")
    (tmp_path / "user-data").write_text("#cloud-config\npassword: secret\n")
    return load(tmp_path / "r.toml")


def test_what_is_taken_along(first: LoadedRecipe, tmp_path: Path) -> None:
    files = portable(first)
    recipe = directory_of(tmp_path / "other", files)
    wanted = withheld(tomllib.loads(recipe.read_text()))
    assert wanted == {"private/2": "/etc/key", "private/3": "/etc/token"}
    directory_of(tmp_path / "other", {"private/2": b"secret key", "private/3": b"secret: node-1"})
    second = load(recipe, {"ROOT_PASSWORD": HASHED})
    assert second.inputs_sha256 == first.inputs_sha256
    assert second.recipe.rootfs.root_password == HASHED
    assert second.recipe.rootfs.hostname == "node-1"
    assert second.recipe.livecd == first.recipe.livecd
    assert [file.content for file in second.recipe.rootfs.files] == [first.recipe.rootfs.files[0].content, *[None] * 3]
    data = [b"\0bytes", b"secret key", b"secret: node-1"]
    assert [file.data for file in second.files.values()] == data
    assert portable(second) == files, "and so it stays"
    assert tomllib.loads(files["recipe.toml"].decode())["rootfs"]["packages"] == ["hello"]


def test_nothing_private_is_taken_along(first: LoadedRecipe) -> None:
    """Neither itself nor as a digest, however the secret is changed."""
    files = portable(first)
    assert sorted(files) == ["files/" + hashlib.sha256(b"\0bytes").hexdigest(), "recipe.toml"]
    assert not any(b"secret" in data for data in files.values())
    rootfs = first.recipe.rootfs
    private = [file.model_copy(update={"content": "other"} if file.content else {}) for file in rootfs.files[2:]]
    changed = rootfs.model_copy(update={"root_password": "other", "files": [*rootfs.files[:2], *private]})
    named = {key: replace(file, data=b"other") if "[2]" in key else file for key, file in first.files.items()}
    other = replace(first, recipe=first.recipe.model_copy(update={"rootfs": changed}), files=named)
    assert portable(other) == files


def test_without_what_is_withheld_it_says_so(first: LoadedRecipe, tmp_path: Path) -> None:
    with pytest.raises(Problems, match="private/2"):
        load(directory_of(tmp_path / "other", portable(first)))


def test_a_recipe_without_a_password(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("name = 'x'\nrootfs.root_password = '!'\n")
    (text,) = portable(load(tmp_path / "r.toml")).values()
    assert tomllib.loads(text.decode()) == {"name": "x"}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rootfs": 1},
        {"rootfs": {"files": {}}},
        {"rootfs": {"files": [1, {"path": 1, "source": "private/0"}, {"path": "/a", "source": 1}]}},
        {"rootfs": {"files": [{"path": "/a", "source": name} for name in (
            "private/../x", "private/", "private/01", "/private/1", "private/1/2", "private/1\n", "x/private/1")]}},
    ],
)  # fmt: skip
def test_what_names_nothing_withheld(values: dict[str, Any]) -> None:
    assert withheld(values) == {}


KEY = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"
WITH_KEY = """
name = "x"
[args]
SIGNS = ""
[kernel]
modules_key = "${SIGNS}"
modules = [{ package = "a-dkms" }, { url = "https://example.org/b.tar.gz", sha256 = "%s" }]
""" % ("b" * 64)


def test_the_key_that_modules_are_signed_with_is_not_taken_along(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(WITH_KEY)
    loaded = load(tmp_path / "r.toml", {"SIGNS": KEY})
    assert loaded.recipe.kernel.modules_key == KEY
    assert "secret" not in repr(loaded.recipe.kernel)
    files = portable(loaded)
    assert not [name for name, data in files.items() if b"secret" in data]
    other = directory_of(tmp_path / "other", files)
    assert load(other).recipe.kernel.modules_key == ""
    again = load(other, {"MODULES_KEY": KEY})
    assert again.recipe.kernel == loaded.recipe.kernel
    assert again.inputs_sha256 == loaded.inputs_sha256 == load(tmp_path / "r.toml").inputs_sha256
