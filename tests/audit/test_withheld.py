"""What the recipe on an image withholds is given back out of its root file system, and nothing else is."""

from pathlib import Path

import pytest

from assembler.audit.image import Image, ImageError
from assembler.audit.rebuild import load_own, take_out
from assembler.audit.withheld import give_back
from assembler.errors import Problems
from assembler.recipe.load import load
from assembler.recipe.portable import portable
from assembler.tree.staging import Tree
from tests.audit.conftest import Make, system

HASHED = "$6$salt$" + "x" * 86
RECIPE = """
name = "x"
[rootfs]
root_password = "secret"
files = [
  { path = "/etc/motd", content = "hello" },
  { path = "/etc/node/tls.key", source = "tls.key", mode = "0600" },
  { path = "/bin/token", content = "inline secret", mode = "0600" },
]
"""


def installed() -> Tree:
    """As the recipe makes it; /bin is a link."""
    tree = system()
    tree.write("/etc/shadow", f"daemon:*:1::::::\nroot:{HASHED}:1::::::\n".encode())
    tree.write("/etc/node/tls.key", b"\0secret key", 0o600, parents=True)
    tree.write("/usr/bin/token", b"inline secret", 0o600)
    return tree


def held(directory: Path, text: str = RECIPE) -> dict[str, bytes]:
    """A recipe as an image holds it."""
    (directory / "x.toml").write_text(text)
    (directory / "tls.key").write_bytes(b"\0secret key")
    return {f"/live/recipe/{name}": data for name, data in portable(load(directory / "x.toml")).items()}


def taken(path: Path, directory: Path) -> tuple[Path, dict[str, str]]:
    directory.mkdir()
    recipe = take_out(Image(path), directory)
    return recipe, give_back(Image(path), recipe)


def test_they_come_back(make: Make, tmp_path: Path) -> None:
    files = held(tmp_path)
    assert not any(b"secret" in data for data in files.values())
    recipe, args = taken(make("a", installed(), extra=files), tmp_path / "taken")
    assert args == {"ROOT_PASSWORD": HASHED}
    private = sorted((tmp_path / "taken/private").iterdir())
    assert [path.stat().st_mode & 0o777 for path in (*private, private[0].parent)] == [0o600, 0o600, 0o700]
    loaded = load(recipe, args)
    assert loaded.recipe.rootfs.root_password == HASHED
    assert [file.data for file in loaded.files.values()] == [b"\0secret key", b"inline secret"]
    assert {f"/live/recipe/{name}": data for name, data in portable(loaded).items()} == files


def test_a_password_for_debconf_has_to_be_given(make: Make, tmp_path: Path) -> None:
    """The image has it only where a package keeps it."""
    answers = 'rootfs.debconf.answers.aa."a/b" = { type = "password", value = "secret" }\n'
    files = held(tmp_path, f"name = 'x'\n{answers}")
    assert not any(b"secret" in data for data in files.values())
    recipe, args = taken(make("a", installed(), extra=files), tmp_path / "taken")
    with pytest.raises(Problems) as caught:
        load_own(recipe, args)
    (error,) = caught.value.errors
    assert (error.what, error.hint) == ("the password is empty", "give it by an argument: --arg-file NAME=PATH")
    loaded = load_own(recipe, {**args, "DEBCONF_PASSWORD_1": "secret"})
    assert loaded.recipe.rootfs.debconf.answers["aa"]["a/b"].value == "secret"


def test_a_recipe_without_any(make: Make, tmp_path: Path) -> None:
    _, args = taken(make("a", Tree(mtime=0), extra=held(tmp_path, "name = 'x'\n")), tmp_path / "taken")
    assert args == {}
    assert not (tmp_path / "taken/private").exists()


def test_a_system_without_shadow(make: Make, tmp_path: Path) -> None:
    tree = installed()
    tree.remove("/etc/shadow")
    tree.write("/etc/passwd", f"root:{HASHED}:0:0::/root:/bin/sh\n".encode())
    assert taken(make("a", tree, extra=held(tmp_path)), tmp_path / "taken")[1] == {"ROOT_PASSWORD": HASHED}


def test_images_that_do_not_have_them(make: Make, tmp_path: Path) -> None:
    missing, linked, directory, nobody = (installed() for _ in range(4))
    missing.remove("/etc/node/tls.key")
    linked.remove("/etc/node/tls.key")
    linked.symlink("/etc/passwd", "/etc/node/tls.key")
    directory.remove("/etc/node/tls.key")
    directory.mkdir("/etc/node/tls.key")
    nobody.write("/etc/shadow", b"daemon:*:1::::::\n")
    for number, (tree, said) in enumerate((
        (missing, "the image does not have a private file of its recipe"),
        (linked, "the image does not have a private file of its recipe"),
        (directory, "the image does not have a private file of its recipe"),
        (nobody, "the image has no such user of its recipe: root"),
    )):  # fmt: skip
        with pytest.raises(ImageError, match=said) as caught:
            taken(make(str(number), tree, extra=held(tmp_path)), tmp_path / f"taken-{number}")
        assert caught.value.where.path.startswith("/live/filesystem.squashfs!/etc/")


def test_a_hostile_recipe_gets_nothing_of_the_host(make: Make, tmp_path: Path) -> None:
    """Names that lead elsewhere are not given back; loading the recipe refuses them."""
    text = b"""name = "x"
rootfs.files = [
  { path = "/etc/passwd", source = "private/../../escaped", mode = "0600" },
  { path = "/etc/passwd", source = "../escaped", mode = "0600" },
]
"""
    for number, data in enumerate((text, b"not TOML", b"a = " + b"[" * 5000, b"\xff")):
        image = make(str(number), installed(), extra={"/live/recipe/recipe.toml": data})
        assert taken(image, tmp_path / f"taken-{number}")[1] == {}
        assert sorted(path.name for path in (tmp_path / f"taken-{number}").iterdir()) == [
            "files", "recipe.toml", "x.lock.toml",
        ]  # fmt: skip
    assert not (tmp_path / "escaped").exists()
