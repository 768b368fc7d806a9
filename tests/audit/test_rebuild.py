"""What an image holds is enough to build it again, and the statement says how that went."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from assembler import __version__
from assembler.audit.compare import compare
from assembler.audit.image import Image, ImageError
from assembler.audit.rebuild import load_own, made_with, take_out
from assembler.audit.statements import REBUILD, rebuilt
from assembler.carried import RECIPES
from assembler.formats.iso import write_iso
from assembler.image.names import ISO_PROVENANCE
from assembler.image.provenance import statement, text
from assembler.lockfile.toml import read_lock
from assembler.recipe.load import load
from assembler.recipe.portable import portable
from assembler.store.objects import Store, sha256_of
from tests.audit.conftest import Make, system
from tests.lockfile.test_toml import LOCK

RECIPE = """
name = "x"
[rootfs]
hostname = "here"
files = [{ path = "/etc/motd", source = "motd" }]
"""


@pytest.fixture
def held(tmp_path: Path) -> Mapping[str, bytes]:
    """A recipe as an image holds it."""
    (tmp_path / "x.toml").write_text(RECIPE)
    (tmp_path / "motd").write_bytes(b"hello\n")
    files = portable(load(tmp_path / "x.toml"))
    return {f"/live/recipe/{name}": data for name, data in files.items()}


def test_recipe_and_lock_are_taken_out(make: Make, held: dict[str, bytes], tmp_path: Path) -> None:
    directory = tmp_path / "taken"
    directory.mkdir()
    loaded = load_own(take_out(Image(make("a", system(), extra=held)), directory))
    assert loaded.sha256 == load(take_out_again(held, tmp_path)).sha256
    assert [file.data for file in loaded.files.values()] == [b"hello\n"]
    taken = read_lock(loaded.lock_path)
    assert taken is not None
    assert taken.packages == LOCK.packages


def take_out_again(held: Mapping[str, bytes], tmp_path: Path) -> Path:
    """The recipe `held` by an image, written by other means."""
    for path, data in held.items():
        target = tmp_path / "again" / path.removeprefix("/live/recipe/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return tmp_path / "again/recipe.toml"


def test_an_image_without_its_recipe(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not hold its recipe"):
        take_out(Image(make("a", system())), tmp_path)


def test_files_of_whoever_rebuilds_are_not_taken(tmp_path: Path) -> None:
    """A forged image must not draw the auditor's own files into the new one."""
    (tmp_path / "secret").write_bytes(b"key")
    directory = tmp_path / "taken"
    directory.mkdir()
    for source in ("../secret", str(tmp_path / "secret"), str(RECIPES / "livecd.toml")):
        (directory / "recipe.toml").write_text(RECIPE.replace('"motd"', f'"{source}"'))
        with pytest.raises(ImageError, match="names a file that is not on the image"):
            load_own(directory / "recipe.toml")


def test_the_statement(make: Make) -> None:
    tree = system()
    tree.write("/etc/passwd", b"root:x:0:0::/root:/bin/su\n")
    old, new = make("old", system()), make("new", tree)
    image, digests = Image(old), (sha256_of(old), sha256_of(new))

    same = rebuilt(image, digests[0], digests[0], LOCK, None)
    assert (same["_type"], same["predicateType"]) == ("https://in-toto.io/Statement/v1", REBUILD)
    assert same["subject"] == [{"name": "old.iso", "digest": {"sha256": digests[0]}}]
    assert (same["predicate"]["result"], same["predicate"]["differences"]) == ("identical", [])
    assert same["predicate"]["lock"]["name"] == "/live/x.lock.toml"

    other = rebuilt(image, *digests, LOCK, compare(old, new))["predicate"]
    assert (other["result"], other["rebuilt"]["digest"]["sha256"]) == ("different", digests[1])
    changed = {each["path"]: each for each in other["differences"]}["/live/filesystem.squashfs!/etc/passwd"]
    assert (changed["layer"], changed["offset"], changed["bytes"]) == ("rootfs", 24, 1)


def test_what_an_image_says_it_was_made_with(tmp_path: Path) -> None:
    def said(document: object, path: str = ISO_PROVENANCE) -> dict[str, str]:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        write_iso(tmp_path / "a.iso", {path: data}, label="X", epoch=0)
        return made_with(Image(tmp_path / "a.iso"))

    versions = {"assembler": "0.1.0", "zstandard": "0.22.0"}
    whole = statement({}, LOCK, name="x", recipe_sha256="", lock_sha256="", libraries={"zstandard": "0.22.0"})
    assert said(json.loads(text(whole))) == {"assembler": __version__, "zstandard": "0.22.0"}

    def with_version(value: object) -> object:
        return {"predicate": {"runDetails": {"builder": {"version": value}}}}

    assert said(with_version(versions)) == versions
    # It is anybody's: what is no version is left out, and what is no provenance says nothing.
    assert said(with_version({**versions, "a": 1, "b": "\x1b[2J", "c": "x" * 999, "\n": "1"})) == versions
    assert len(said(with_version({f"a{number}": "1" for number in range(1000)}))) == 64
    for other in (with_version(None), with_version([]), [], {"predicate": None}, b"{", b"", b"\xff", b"[" * 99_999):
        assert said(other) == {}
    assert said({}, "/other") == {}


def test_the_statement_names_both_assemblers(make: Make) -> None:
    image = Image(make("a", system()))
    document = rebuilt(image, "0" * 64, "1" * 64, LOCK, None, versions=({"assembler": "0.0.9"}, {"assembler": "0.1.0"}))
    assert document["predicate"]["versions"] == {"image": {"assembler": "0.0.9"}, "rebuilt": {"assembler": "0.1.0"}}


def test_nothing_computed_is_taken_from_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("result")

    digest = store.add(b"download")
    store.derived("kind", "key", make)
    with store.without_results() as apart:
        assert apart.has(digest)
        assert not apart.has_derived("kind", "key")
        assert apart.derived("kind", "key", make).read_text() == "result"
    assert len(made) == 2
    assert store.has_derived("kind", "key")
    assert not list((tmp_path / "tmp").iterdir())
