"""What is a password, what a hash, and what neither: nothing in clear reaches shadow(5), no field moves."""

import json
from pathlib import Path

import pytest

from assembler.configure.passwords import of_root as hashed_password
from assembler.errors import Problems
from assembler.programs.accounts import AccountError
from assembler.programs.sha_crypt import sha512_crypt
from assembler.programs.shadow import set_password
from assembler.recipe.load import load
from assembler.recipe.model import Rootfs
from assembler.recipe.portable import portable
from assembler.tree.staging import Tree

HASHES = (
    "$6$salt$" + "a" * 86,
    "$6$rounds=656000$salt$" + "./0" * 20,
    "$5$salt$" + "a" * 43,
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
    "$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
    "$7$CU..../....F5Jx5fExrKuPp53x$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
    "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
    "$1$salt$" + "a" * 22,
    "$sha1$40000$jtNX3nZ2$hBNaIXkt4wBI2o5rsi8KejSjNqIq",
)
PASSWORDS = (
    "!Tr0ub4dor&3",
    "*letmein*",
    "!!both",
    "! ",
    "!x:0:0:99999:7:::",
    "a:b",
    "#comment",
    "pässwört 漢字",
    "\\",
    "x" * 511,
)
NEITHER = (
    "",
    "*",
    "**",
    "!!",
    "!*",
    "*LK*",
    "*NP*",
    "!$6$salt$" + "a" * 86,
    "*$y$j9T$x$" + "a" * 43,
    "$6$salt",
    "$6$salt$" + "a" * 15,
    "$6$sa:lt$" + "a" * 86,
    "$6$sa!lt$" + "a" * 86,
    "$6$salt$" + "a" * 86 + ":0:0:99999:7:::",
    "$6$salt$" + "a" * 86 + "\n",
    "$9$salt$" + "a" * 86,
    "two\nlines",
    "end\n",
    "nul\0",
    "!:1:0:99999:7:::\nevil::1::::::",
    "bell\a",
    "x" * 512,
    "€" * 400,
)


def read(directory: Path, password: str) -> Rootfs:
    (directory / "r.toml").write_text(
        f"name = 'x'\nrootfs.root_password = {json.dumps(password, ensure_ascii=False)}\n"
    )
    return load(directory / "r.toml").recipe.rootfs


def system() -> Tree:
    tree = Tree()
    tree.write("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nlast:x:1:1::/:/bin/sh\n", parents=True)
    tree.write("/etc/shadow", b"root:*:1:0:99999:7:::\nlast:*:1:0:99999:7:::\n")
    return tree


@pytest.mark.parametrize("hashed", [*HASHES, "!"])
def test_taken_as_it_is(hashed: str, tmp_path: Path) -> None:
    assert hashed_password(read(tmp_path, hashed)) == hashed


@pytest.mark.parametrize("password", PASSWORDS)
def test_hashed(password: str, tmp_path: Path) -> None:
    recipe = read(tmp_path, password)
    hashed = hashed_password(recipe)
    salt = hashed.split("$")[2]
    assert hashed == sha512_crypt(password.encode(), salt)
    tree = system()
    set_password(tree, "root", hashed, epoch=0)
    assert tree.read_text("/etc/shadow") == f"root:{hashed}:0:0:99999:7:::\nlast:*:1:0:99999:7:::\n"
    assert password not in repr(recipe)
    taken = portable(load(tmp_path / "r.toml"))
    assert len(password) < 4 or not any(password.encode() in data for data in taken.values())


@pytest.mark.parametrize("text", NEITHER)
def test_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        read(tmp_path, text)
    (error,) = caught.value.errors
    assert error.where.key == "rootfs.root_password"
    assert len(text) < 3 or text not in str(error)


@pytest.mark.parametrize("field", ["x:0", "x\nevil:", "x\0"])
def test_no_field_moves_another(field: str) -> None:
    """Whoever sets it, a package's script included."""
    tree = system()
    with pytest.raises(AccountError, match="a field has a character that would make it others"):
        set_password(tree, "root", field, epoch=0)
    assert tree.read_text("/etc/shadow") == system().read_text("/etc/shadow")
