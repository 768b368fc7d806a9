"""The archives that an image's own apt knows."""

from dataclasses import replace
from pathlib import Path

from assembler.debian.sources import parse_sources
from assembler.layers.apt import KEYRING, SOURCES, with_archives
from assembler.lock.wanted import archives_of
from assembler.recipe.load import load
from assembler.recipe.model import Recipe
from tests.debian.archives import certificate
from tests.layers.decided import RECIPE, TREE
from tests.layers.test_keys import project_in

TABLES = """
debian.mirror = "https://mirror.example/debian/"
[[debian.archives]]
uris = ["https://packages.example/a", "https://packages.example/b/"]
suites = ["./"]
signed_by = "key.asc"
[[debian.archives]]
suites = ["trixie-backports"]
components = ["main", "contrib"]
architectures = ["amd64"]
check_valid_until = false
"""


def recipe(directory: Path, text: str = "") -> Recipe:
    (directory / "key.asc").write_text(certificate())
    path = directory / "r.toml"
    path.write_text(f'name = "x"\n{text}')
    return load(path).recipe


def written(it: Recipe) -> str:
    (file,) = (file for file in with_archives(it, {"apt", "base"}).files if file.path == SOURCES)
    assert (file.mode, file.owner, file.content is not None) == ("0644", "root", True)
    return file.content or ""


def test_they_are_the_recipes(tmp_path: Path) -> None:
    it = recipe(tmp_path, TABLES)
    text = written(it)
    found, known = parse_sources(text.replace(KEYRING, "A" * 40)), archives_of(it)
    assert len(found) == len(known) == 6
    for source, archive in zip(found, known, strict=True):
        own = archive.source
        assert (source.suites, source.components) == ((archive.suite,), own.components)
        assert (source.architectures, source.check_valid_until) == (own.architectures, own.check_valid_until)
    assert [source.uris[0] for source in found] == [
        *["https://mirror.example/debian"] * 2,
        "http://security.debian.org/debian-security",
        "https://packages.example/a",
        "https://packages.example/b",
        "https://mirror.example/debian",
    ]
    assert found[3].key.split() == certificate().split()
    assert text.count(f"Signed-By: {KEYRING}\n") == 4


def test_debians_own_by_default(tmp_path: Path) -> None:
    assert [source.uris[0] for source in parse_sources(written(recipe(tmp_path)).replace(KEYRING, "A" * 40))] == [
        *["http://ftp.debian.org/debian"] * 2,
        "http://security.debian.org/debian-security",
    ]


def test_without_apt_or_with_files_of_its_own_nothing_is_added(tmp_path: Path) -> None:
    it = recipe(tmp_path)
    assert with_archives(it, {"base"}) is it.rootfs
    for path in ("/etc/apt/sources.list", "/etc/apt/sources.list.d/mine.sources"):
        own = recipe(tmp_path, f'rootfs.files = [{{ path = "{path}", content = "" }}]\n')
        assert with_archives(own, {"apt"}) is own.rootfs


def test_they_decide_the_tree_where_apt_is(tmp_path: Path) -> None:
    mirror = "debian.mirror = 'https://mirror.example/debian'\n"
    first, second = (
        project_in(tmp_path, text) for text in (RECIPE, RECIPE.replace("debian.a", f"{mirror}debian.a", 1))
    )
    assert first.steps()[TREE].key == second.steps()[TREE].key, "apt is not in it"
    keys = []
    for project in (first, second):
        packages = [replace(each, name="apt") if each.name == "base" else each for each in project.lock.packages]
        keys.append(replace(project, lock=replace(project.lock, packages=tuple(packages))).steps()[TREE].key)
    assert keys[0] != keys[1]
