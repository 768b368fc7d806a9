"""The recipe to begin with: it is a recipe, on top of what it says, and nothing is overwritten."""

import tomllib
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.recipe.builtin import recipes
from assembler.recipe.load import load


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("base", [name.removesuffix(".toml") for name in recipes()])
def test_it_loads_on_top_of_each(base: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["init", "mine", "--from", base]) == 0
    assert capsys.readouterr().out.startswith("mine/node.toml\nmine/user-data\nmine/.gitignore\n")
    loaded, below = load(Path("mine/node.toml")), load(Path(f"builtin:{base}.toml"))
    assert loaded.recipe.name == "node"
    assert loaded.recipe.rootfs.hostname == "node"
    assert loaded.recipe.rootfs.packages == below.recipe.rootfs.packages
    # It changes what it shows, and nothing of what is locked.
    assert (loaded.recipe.arch, loaded.recipe.kernel) == (below.recipe.arch, below.recipe.kernel)
    assert loaded.files["cloudinit.user_data"].path == Path("mine/user-data")


def test_what_it_shows_works_when_it_is_taken_out_of_its_comments() -> None:
    assert call(["init", ".", "--from", "k8s"]) == 0
    path = Path("node.toml")
    shown = ("vim-tiny", "[[rootfs.files_add]]", "path =", "content =", "This node", '"""', "ssh_author", "KUBERNETES")
    lines = path.read_text().splitlines()
    taken = [
        line.replace("# ", "", 1) if line.lstrip().startswith(tuple(f"# {each}" for each in (*shown, '"vim'))) else line
        for line in lines
    ]
    assert sum(one != other for one, other in zip(lines, taken, strict=True)) == 8
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    path.write_text("\n".join(taken).replace("AAAA...", key))
    recipe = load(path).recipe
    assert "vim-tiny" in recipe.rootfs.packages
    assert "/etc/motd" in {file.path for file in recipe.rootfs.files}
    assert recipe.cloudinit.ssh_authorized_keys
    assert "${" not in str(tomllib.loads(path.read_text()))


@pytest.mark.parametrize("name", ["k8s", "k8s.toml", "builtin:k8s.toml"])
def test_a_base_may_be_named_in_full(name: str) -> None:
    assert call(["init", "--from", name]) == 0
    assert 'extends = "builtin:k8s.toml"' in Path("node.toml").read_text()


def test_an_unknown_base_leaves_nothing(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["init", "new", "--from", "k9s"]) == 1
    assert "did you mean builtin:k8s.toml?" in capsys.readouterr().err
    assert list(directory.iterdir()) == []


def test_nothing_is_overwritten_and_all_that_is_in_the_way_is_told(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / ".gitignore").write_text("mine\n")
    (directory / "node.toml").symlink_to("nowhere")
    (directory / "other").write_text("x")
    assert call(["init"]) == 1
    told = capsys.readouterr().err
    assert "node.toml: this is there already" in told
    assert ".gitignore: this is there already" in told
    assert "user-data" not in told
    assert (directory / ".gitignore").read_text() == "mine\n"
    assert sorted(path.name for path in directory.iterdir()) == [".gitignore", "node.toml", "other"]


def test_what_cannot_be_a_directory_is_told(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "file").write_text("x")
    for name in ("file", "file/below", "a" * 300, "/proc/new"):
        assert call(["init", name]) == 1
        told = capsys.readouterr().err
        assert "cannot be written" in told or "a file is where a directory should be" in told
        assert "defect" not in told


def test_what_the_system_says_of_it_is_told(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "file").write_text("x")
    assert call(["init", "file/below"]) == 1
    told = capsys.readouterr().err
    assert "file/below" in told
    assert "Not a directory" in told
    assert "None" not in told
    assert "Errno" not in told
