"""The .debs that a recipe brings: read as files of the recipe, and known by their digests from then on."""

import hashlib
import os
from pathlib import Path

import pytest

from assembler.errors import Problems
from assembler.recipe import debs
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import RECIPE, portable

ONE, TWO = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
PROJECT = {"r/one.deb": b"one", "r/dir/one.deb": b"one", "r/dir/pool/two.deb": b"two", "r/dir/README": b"", "out": b"x"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, data in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path / "r"


def recipe(project: Path, text: str, name: str = "r.toml") -> LoadedRecipe:
    (project / name).write_text(f'name = "x"\n{text}')
    return load(project / name)


def wrong(project: Path, text: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        recipe(project, text)
    return [str(error).removeprefix(f"{project}/") for error in caught.value.errors]


def test_digests_become_a_part_of_the_recipe(project: Path) -> None:
    loaded = recipe(project, 'debian.debs = [{ path = "one.deb" }]\ndebian.archives = [{ path = "dir" }]\n')
    debian = loaded.recipe.debian
    assert debian.debs[0].sha256 == ONE
    assert debian.archives[0].files == {"one.deb": ONE, "pool/two.deb": TWO}
    assert {digest: path.read_bytes() for digest, path in loaded.local.debs.items()} == {ONE: b"one", TWO: b"two"}
    (project / "one.deb").rename(project / "other.deb")
    (project / "dir").rename(project / "elsewhere")
    moved = recipe(project, 'debian.debs = [{ path = "other.deb" }]\ndebian.archives = [{ path = "elsewhere/" }]\n')
    assert moved.inputs_sha256 == loaded.inputs_sha256
    for file in ("other.deb", "elsewhere/one.deb"):
        before = load(project / "r.toml").inputs_sha256
        (project / file).write_bytes(b"changed")
        assert load(project / "r.toml").inputs_sha256 != before
    (project / "elsewhere/README").write_text("changed")
    before = load(project / "r.toml").inputs_sha256
    (project / "elsewhere/three.deb").symlink_to("one.deb")
    assert load(project / "r.toml").inputs_sha256 != before


def test_with_digests_the_files_need_not_be_there(project: Path) -> None:
    text = f"""
    debian.debs = [{{ path = "one.deb", sha256 = "{ONE}" }}]
    debian.archives = [{{ path = "dir", files = {{ "one.deb" = "{ONE}", "pool/two.deb" = "{TWO}" }} }}]
    """
    there = recipe(project, text)
    (project / "dir/more.deb").write_bytes(b"more")
    (project / "dir/one.deb").unlink()
    (project / "one.deb").unlink()
    assert load(project / "r.toml").inputs_sha256 == there.inputs_sha256
    (project / "dir/pool/two.deb").write_bytes(b"other")
    (project / "one.deb").write_bytes(b"other")
    other = hashlib.sha256(b"other").hexdigest()
    assert wrong(project, text) == [
        f"r.toml:3:22 debian.debs[0].path: it is another file than sha256 says: its SHA-256 is {other}",
        "r.toml:4:26 debian.archives[0].path: a .deb is another file than files says: pool/two.deb",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('debs = [{ path = "on.deb" }]', "r.toml:2:18 debian.debs[0].path: the package is missing: there is no "),
        ('debs = [{ path = "../out" }]', "r.toml:2:18 debian.debs[0].path: it is outside of the recipe's project"),
        (f'debs = [{{ path = "../no", sha256 = "{ONE}" }}]', "debian.debs[0].path: it is outside of the recipe's"),
        ('debs = [{ path = "dir" }]', "debian.debs[0].path: the package is not a file"),
        ('debs = [{ path = "" }]', "debian.debs[0]: needs exactly one of path and url"),
        ("debs = [{ }]", "debian.debs[0]: needs exactly one of path and url"),
        ('debs = [{ path = "one.deb", url = "https://a/b.deb" }]', "debian.debs[0]: needs exactly one of path and url"),
        ('debs = [{ url = "https://a/b.deb" }]', "debian.debs[0].url: nothing says which package that has to be"),
        ('debs = [{ url = "file:///b.deb" }]', "debian.debs[0].url: 'file:///b.deb' is not a URL"),
        ('debs = [{ path = "one.deb", sha256 = "1" }]', "debian.debs[0].path: it is another file than sha256"),
        ('debs = [{ path = "sp\u00e4t.deb" }]', "debian.debs[0].path: a .deb has a name that no lock has"),
        ('debs = ["one.deb"]', "debian.debs[0]: must be a table"),
        ('archives = [{ path = "no" }]', "debian.archives[0].path: the directory is missing"),
        ('archives = [{ path = "one.deb" }]', "debian.archives[0].path: the directory cannot be read"),
        ('archives = [{ path = "../" }]', "debian.archives[0].path: it is outside of the recipe's project"),
        ('archives = [{ path = "empty" }]', "debian.archives[0].path: the directory has no .debs"),
        ('archives = [{ path = "" }]', "debian.archives[0].path: is empty"),
        (
            'archives = [{ path = "dir", components = ["main"] }]',
            "archives[0].components: a directory of .debs has none",
        ),
        ('archives = [{ path = "dir", uris = ["https://a"], suites = ["./"] }]', "archives[0].path: contradicts uris"),
        (
            f'archives = [{{ uris = ["https://a"], suites = ["./"], files = {{ "a.deb" = "{ONE}" }} }}]',
            "debian.archives[0].files: is for a directory of .debs",
        ),
        (f'archives = [{{ path = "dir", files = {{ "../a.deb" = "{ONE}" }} }}]', "'../a.deb' is not a path below a"),
        ('archives = [{ path = "dir" , suites = [] }]', "debian.archives[0].suites: names no suite"),
    ],
)
def test_what_is_wrong(project: Path, text: str, message: str) -> None:
    (project / "empty").mkdir()
    (project / "späť.deb").touch()
    found, *_ = wrong(project, f"debian.{text}")
    assert message in found
    assert found.startswith("r.toml:2:"), found


@pytest.mark.parametrize("name", ["./one.deb", "one.deb", "../dir/one.deb", "/srv/one.deb", "https://a/b.deb"])
def test_a_file_among_packages_is_told_where_it_belongs(project: Path, name: str) -> None:
    (found,) = wrong(project, f'rootfs.packages = ["{name}"]\n')
    way = "url and sha256" if ":" in name else "path"
    assert f"is not a package name (name a .deb in [[debian.debs]], by {way};" in found


def test_what_is_read_of_a_directory_is_bounded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'debian.archives = [{ path = "dir" }]\n'
    (project / "dir/.hidden").mkdir()
    (project / "dir/.hidden/x.deb").write_bytes(b"x")
    (project / "dir/away").symlink_to("/")
    assert len(recipe(project, text).recipe.debian.archives[0].files) == 2
    (project / "dir/out.deb").symlink_to("../../out")
    assert "the package is outside of the recipe's project" in wrong(project, text)[0]
    (project / "dir/out.deb").unlink()
    os.mkfifo(project / "dir/fifo.deb")
    assert "the package is not a file" in wrong(project, text)[0]
    (project / "dir/fifo.deb").unlink()
    for name, value in (("MAX_DEBS", 1), ("MAX_ENTRIES", 3), ("MAX_DEPTH", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(debs, name, value)
            assert "the directory is too large" in wrong(project, text)[0]


def test_paths_are_relative_to_the_file_that_has_them(project: Path) -> None:
    (project / "base").mkdir()
    (project / "base/two.deb").write_bytes(b"two")
    (project / "base/base.toml").write_text('debian.debs = [{ path = "two.deb" }]\n')
    on_top = recipe(project, 'extends = "base/base.toml"\ndebian.debs_add = [{ path = "one.deb" }]\n')
    assert [deb.sha256 for deb in on_top.recipe.debian.debs] == [TWO, ONE]


def test_on_a_medium_they_are_named_and_not_there(project: Path) -> None:
    (project / "other").mkdir()
    (project / "other/one.deb").write_bytes(b"two")
    loaded = recipe(
        project,
        """
        debian.debs = [{ path = "./one.deb" }, { path = "other/one.deb" }]
        [[debian.archives]]
        path = "../r/dir"
        [[debian.archives]]
        path = "/srv/a"
        suites = ["./"]
        [[debian.archives]]
        path = "../b"
        suites = ["./"]
        """,
    )
    files = portable(loaded)
    assert list(files) == [RECIPE]
    (project / "medium").mkdir()
    (project / "medium" / RECIPE).write_bytes(files[RECIPE])
    again = load(project / "medium" / RECIPE)
    assert again.inputs_sha256 == loaded.inputs_sha256
    assert [deb.path for deb in again.recipe.debian.debs] == ["one.deb", "1/one.deb"]
    assert again.recipe.debian.archives[0].files == {"one.deb": ONE, "pool/two.deb": TWO}
    assert [archive.path for archive in again.recipe.debian.archives] == ["r/dir", "/srv/a", "b"]
    assert not again.local.debs
    assert portable(again) == files


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("vendor", "file:vendor"), ("./vendor/", "file:vendor"), ("../vendor", "file:vendor"), ("a/../b", "file:b"),
        ("a b%", "file:a%20b%25"), (".", "file:."), ("..", "file:."), ("/srv/a/", "file:///srv/a"), ("//a", "file:///a"),
    ],
)  # fmt: skip
def test_what_a_lock_calls_a_directory(path: str, root: str) -> None:
    assert debs.root_of(path) == root


def test_two_archives_of_one_name_are_told(project: Path) -> None:
    text = 'debian.archives = [{ path = "a", suites = ["./"] }, { path = "../a", suites = ["./"] }]\n'
    assert "debian.archives[1].path: another archive is called so, too" in wrong(project, text)[0]
