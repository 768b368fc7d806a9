"""Recipes that come along have names that are the same everywhere."""

from pathlib import Path

import pytest

from assembler.audit.rebuild import load_own
from assembler.carried import RECIPES
from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.builtin import located, recipes
from assembler.recipe.load import load
from assembler.recipe.portable import portable


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "r.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", recipes())
def test_each_is_the_recipe_of_that_name(name: str) -> None:
    named, found = load(Path(f"builtin:{name}")), load(RECIPES / name)
    assert named.sha256 == found.sha256
    assert named.sources == found.sources
    assert portable(named) == portable(found)


def test_its_lock_is_in_the_working_directory() -> None:
    loaded = load(Path("builtin:livecd.toml"))
    assert loaded.lock_path == Path("livecd.lock.toml")
    assert str(loaded.path) == "builtin:livecd.toml"


def test_it_can_be_extended_and_its_files_taken() -> None:
    text = (
        "name = 'x'\nextends = ['builtin:k8s.toml']\n[cloudinit]\nuser_data = 'builtin:cloud-init/kubeadm-init.yaml'\n"
    )
    loaded = load(write(text))
    assert loaded.recipe.kubernetes is not None
    assert loaded.files["cloudinit.user_data"].data == (RECIPES / "cloud-init/kubeadm-init.yaml").read_bytes()
    assert loaded.lock_path == Path("x.lock.toml")
    assert not loaded.outside


def test_what_extends_one_can_be_built_again_without_it(tmp_path: Path) -> None:
    loaded = load(write("name = 'x'\nextends = 'builtin:k8s.toml'\n"))
    directory = tmp_path / "rebuilt"
    for name, data in portable(loaded).items():
        assert b"builtin:" not in data
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    again = load_own(directory / "recipe.toml", {"ROOT_PASSWORD": "root"})
    assert again.inputs_sha256 == loaded.inputs_sha256
    assert {file.data for file in again.files.values()} <= {file.data for file in loaded.files.values()}


@pytest.mark.parametrize("name", ["builtin:livecd.toml", "builtin:files/hardening.conf"])
def test_the_recipe_of_an_image_does_not_name_one(name: str) -> None:
    line = f"extends = '{name}'" if name.endswith(".toml") else f"rootfs.files = [{{ path = '/a', source = '{name}' }}]"
    with pytest.raises(AssembleError, match="names a file that is not on the image"):
        load_own(write(f"name = 'x'\n{line}\n"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("builtin:livcd.toml", "did you mean builtin:livecd.toml?"),
        ("builtin:k8s", "did you mean builtin:k8s.toml?"),
        ("builtin:", "the recipes that come along: builtin:k8s-vanilla.toml, builtin:k8s.toml, builtin:livecd-arm64"),
        ("builtin:zzz", "the recipes that come along: builtin:k8s"),
    ],
)
def test_an_unknown_one_is_told_with_those_that_there_are(name: str, hint: str) -> None:
    for path in (Path(name), write(f"extends = '{name}'")):
        with pytest.raises(Problems) as caught:
            load(path)
        (error,) = caught.value.errors
        assert error.what == "no recipe of this name comes with the assembler"
        assert error.why == f"there is no {name}"
        assert hint in error.hint
        assert "lock.toml" not in error.hint


def test_all_unknown_ones_are_told_at_once_with_their_places() -> None:
    with pytest.raises(Problems) as caught:
        load(write("extends = ['builtin:x.toml', 'builtin:livecd.toml', 'builtin:y.toml']"))
    assert [(each.where.line, each.where.key) for each in caught.value.errors] == [(1, "extends[0]"), (1, "extends[2]")]
    text = "hostname = 1\nextends = 'builtin:livecd.toml'\n[cloudinit]\nuser_data = 'builtin:cloud-init/userdata'"
    with pytest.raises(Problems) as caught:
        load(write(text))
    assert [each.where.line for each in caught.value.errors] == [1, 4]
    assert caught.value.errors[1].hint == "did you mean builtin:cloud-init/user-data?"


@pytest.mark.parametrize(
    "name",
    [
        "../README.md",
        "/etc/hostname",
        "x/../livecd.toml",
        "./livecd.toml",
        "livecd.toml/",
        "kernel",
        "x\0",
        "a" * 100_000,
    ],
)
def test_nothing_else_is_reached_by_such_a_name(name: str) -> None:
    for recipe in (True, False):
        with pytest.raises(AssembleError) as caught:
            located(f"builtin:{name}", Path(), Place(), recipe=recipe)
        assert len(caught.value.why) < 300


def test_locks_and_what_is_hidden_do_not_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.toml", "a.lock.toml", ".b.toml", "c.toml~"):
        (tmp_path / name).write_text("name = 'x'")
    monkeypatch.setattr("assembler.recipe.builtin.RECIPES", tmp_path)
    assert recipes() == ["a.toml"]
    for name in ("a.lock.toml", ".b.toml", "c.toml~"):
        for recipe in (True, False):
            with pytest.raises(AssembleError):
                located(f"builtin:{name}", Path(), Place(), recipe=recipe)
    assert located("builtin:a.toml", Path(), Place()) == tmp_path / "a.toml"


def test_a_long_name_is_cut_where_it_is_shown() -> None:
    for length, shown in ((200, 200), (201, 200)):
        with pytest.raises(Problems) as caught:
            load(Path("builtin:" + "x" * (length - 8)))
        assert caught.value.errors[0].why == "there is no builtin:" + "x" * (shown - 8)
