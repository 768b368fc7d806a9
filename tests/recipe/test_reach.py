"""A recipe reads below its own project and what comes with the assembler; more is up to whoever runs it."""

import textwrap
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.errors import Problems
from assembler.layers.cloudinit import from_recipe
from assembler.recipe import extend, named
from assembler.recipe.document import MAX_RECIPE, OutOfReachError
from assembler.recipe.extend import MAX_RECIPES
from assembler.recipe.load import load
from assembler.recipe.resolve import MAX_ERRORS

SECRET = "machine-of-mine login me password correct-horse"
OWN = Path(__file__).parents[2] / "recipes"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "team" / "image"
    directory.mkdir(parents=True)
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.chdir(directory)
    return directory


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def refused(path: Path, project: Path | None = None, allow_read: tuple[Path, ...] = ()) -> str:
    with pytest.raises(Problems) as caught:
        load(path, project=project, allow_read=allow_read)
    text = str(caught.value)
    assert not any(word in text for word in SECRET.split() if len(word) > 5)
    return text


NAMES = """\
    name = 'x'
    [rootfs]
    rules = ['{0}']
    [[rootfs.files]]
    path = '/a'
    source = '{0}'
    [kernel]
    source = 'vanilla'
    package = 'linux-source'
    fragments = ['{0}']
    [cloudinit]
    user_data = '{0}'
    meta_data = '{0}'
    network_config = '{0}'
    """


@pytest.mark.parametrize("name", ["../../secret", "link", "directory/secret", "/etc/hostname"])
def test_every_key_that_names_a_file(project: Path, tmp_path: Path, name: str) -> None:
    (project / "link").symlink_to("../../secret")
    (project / "directory").symlink_to(tmp_path)
    found = refused(write("r.toml", NAMES.format(name))).split("\n")
    assert len(found) == 6
    assert all("the file is outside of the recipe's project" in line for line in found)


@pytest.mark.parametrize("name", ["/proc/self/environ", "/proc/nothing", "/sys/kernel/vmcoreinfo", "link"])
def test_what_is_of_the_kernel_is_never_read(project: Path, name: str) -> None:
    (project / "link").symlink_to("/proc/self/environ")
    path = write("r.toml", f"name = 'x'\n[[rootfs.files]]\npath = '/a'\nsource = '{name}'")
    assert "r.toml:4:1 rootfs.files[0].source: the file is of the kernel: nothing of /proc and /sys is read" in refused(
        path
    )
    refused(path, allow_read=(Path("/"),))


def test_whether_a_file_elsewhere_exists_is_not_told() -> None:
    there = refused(write("r.toml", NAMES.format("../../secret")))
    not_there = refused(write("r.toml", NAMES.format("../../secres")))
    assert not_there == there.replace("secret", "secres")
    assert "did you mean" not in not_there


def test_bases(project: Path, tmp_path: Path) -> None:
    write("../base.toml", "name = 'x'")
    path = write("r.toml", "extends = '../base.toml'")
    found = refused(path)
    assert f"r.toml:1:1 extends: the recipe is outside of the recipe's project: it is not below {project}" in found
    # Both hints are what works.
    assert f"--project {tmp_path / 'team'} or --allow-read ../base.toml" in found
    assert load(path, project=tmp_path / "team").recipe.name == "x"
    assert load(path, allow_read=[Path("../base.toml")]).recipe.name == "x"
    assert load(path, allow_read=[tmp_path / "team/base.toml"]).recipe.name == "x"
    refused(path, allow_read=(tmp_path / "secret",))
    refused(write("r.toml", "extends = '../../secret'"))


def test_a_directory_of_many_is_not_offered_as_a_project(tmp_path: Path) -> None:
    assert "--project" not in refused(write("r.toml", "extends = '/etc/shadow'"))
    (tmp_path / ".netrc").write_text(SECRET)
    assert "--project" not in refused(write("r.toml", "extends = '../../.netrc'"))


def test_what_comes_with_the_assembler_may_be_extended_from_anywhere(project: Path) -> None:
    path = write("r.toml", f"extends = '{OWN / 'livecd.toml'}'\n[rootfs]\npackages_add = ['vim']")
    assert "vim" in load(path).recipe.rootfs.packages
    (project / "recipes").symlink_to(OWN)
    assert load(write("r.toml", "extends = 'recipes/k8s.toml'")).files


def test_a_recipe_that_is_itself_a_link(project: Path, tmp_path: Path) -> None:
    write("../r.toml", "name = 'x'")
    (project / "r.toml").symlink_to("../r.toml")
    assert "r.toml: the recipe is outside of the recipe's project" in refused(Path("r.toml"))
    assert load(Path("r.toml"), project=tmp_path).recipe.name == "x"
    (project / "s.toml").symlink_to("/proc/self/environ")
    refused(Path("s.toml"))


def test_contents_of_what_is_outside_are_never_told(project: Path, tmp_path: Path) -> None:
    """Also where it may be read: what is wrong in it is told by its place alone."""
    allowed = (tmp_path / "secret",)
    assert f"{tmp_path}/secret:1:17" in refused(write("r.toml", f"extends = '{tmp_path}/secret'"), allow_read=allowed)
    (tmp_path / "base").write_text("[rootfs]\nhostname = 'correct-horse_'\ncorrect-horse = 1\n")
    found = refused(write("r.toml", "name = 'x'\nextends = '../../base'"), allow_read=(tmp_path / "base",))
    assert "../../base:2:1: something is wrong in a file outside of the recipe's project" in found
    assert "../../base:3:1: something is wrong" in found
    assert "'correct-horse_' is not a host name" in refused_text(write("r.toml", (tmp_path / "base").read_text()))

    for key in ("user_data", "meta_data", "network_config"):
        loaded = load(write("r.toml", f"name = 'x'\ncloudinit.{key} = '../../secret'"), allow_read=allowed)
        assert loaded.outside == {"../../secret"}
        with pytest.raises(Problems) as caught, loaded.discreet():
            from_recipe(loaded)
        assert "machine-of-mine" not in str(caught.value)
        assert str(caught.value).startswith("../../secret")
    (project / "own").write_text(SECRET)
    loaded = load(write("r.toml", "name = 'x'\ncloudinit.user_data = 'own'"))
    with pytest.raises(Problems, match="'machine-of-mine login"), loaded.discreet():
        from_recipe(loaded)


def test_arguments_of_what_is_outside_are_not_told(tmp_path: Path) -> None:
    """A stranger's recipe could put one where it does not fit."""
    (tmp_path / "base").write_text("name = 'b'\n[args]\nTOKEN = 'correct-horse: machine-of-mine'\n")
    for key in ("rootfs.hostname", "debian.mirror", "cloudinit.user_data", "livecd.compression"):
        text = f"extends = '../../base'\n{key} = 'x${{TOKEN}}x'"
        found = refused(write("r.toml", text), allow_read=(tmp_path / "base",))
        assert f" {key}" in found
        assert "…" in found


def refused_text(path: Path) -> str:
    with pytest.raises(Problems) as caught:
        load(path)
    return str(caught.value)


def test_every_command_that_takes_a_recipe_has_the_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write("r.toml", "name = 'x'\n[cloudinit]\nuser_data = '../../secret'"))
    for command in ([path], ["lock", path], ["lock", path, "--check"], ["check", path], ["audit", path]):
        assert call([*command, "--offline", "--store", str(tmp_path / "store")]) == 1
        said = capsys.readouterr().err
        assert "outside of the recipe's project" in said
        assert "machine-of-mine" not in said
        for option in (["--allow-read", "../../secret"], ["--project", str(tmp_path)]):
            assert call([*command, "--offline", "--store", str(tmp_path / "store"), *option]) == 1
            said = capsys.readouterr().err
            assert "outside" not in said
            assert "no lock" in said or "offline" in said or "network" in said, said


def test_a_lock_that_leads_elsewhere_is_not_read(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "x.lock.toml").symlink_to("../../secret")
    write("r.toml", "name = 'x'")
    assert call(["lock", "r.toml", "--check", "--store", str(tmp_path / "store")]) == 1
    said = capsys.readouterr().err
    assert "the lock is outside of the recipe's project" in said
    assert "machine-of-mine" not in said


# --- how much is read --------------------------------------------------------------------------------------------


def test_names_that_are_none(project: Path) -> None:
    (project / "loop").symlink_to("loop")
    for name in ("a\\u0000b", "loop", "loop/x", "a" * 5000, "a/" * 3000, ".", "sub"):
        assert "r.toml" in refused_text(write("r.toml", f'name = "x"\nextends = "{name}"'))


def test_how_many_files() -> None:
    for number in range(MAX_RECIPES + 1):
        write(f"{number}.toml", "" if number == MAX_RECIPES else f"extends = '{number + 1}.toml'")
    assert f"at most {MAX_RECIPES} files" in refused_text(Path("0.toml"))
    assert load(write("1.toml", "name = 'x'\nextends = '2.toml'")).recipe.name == "x"
    names = ", ".join(f"'{number}'" for number in range(1000))
    assert f"at most {MAX_RECIPES} files" in refused_text(write("r.toml", f"extends = [{names}]"))


def test_values_of_files_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extend, "MOST_VALUES", 100)
    write("base.toml", "[rootfs]\npackages = [" + "'aa'," * 60 + "]")
    text = "extends = 'base.toml'\nname = 'x'\n[rootfs]\npackages = [" + "'aa'," * 60 + "]"
    assert "its files have more than 100 values together" in refused_text(write("r.toml", text))


def test_files_together(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "MAX_LARGE", 512 << 20)
    with (project / "large").open("wb") as stream:
        stream.truncate(60 << 20)
    files = "\n".join(f"[[rootfs.files]]\npath = '/{number}'\nsource = 'large'" for number in range(9))
    assert "at most 512 MiB together" in refused_text(write("r.toml", f"name = 'x'\n{files}"))


def test_files_of_all_that_is_allowed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "MAX_FILES", 3 << 20)
    write("one", "x" * (1 << 20))
    three = "".join(f"[[rootfs.files]]\npath = '/{number}'\nsource = 'one'\n" for number in range(3))
    assert len(load(write("r.toml", f"name = 'x'\n{three}")).files) == 3
    write("more", "x")
    text = f"name = 'x'\n{three}[[rootfs.files]]\npath = '/more'\nsource = 'more'\n"
    assert "at most 3 MiB together" in refused_text(write("r.toml", text))


def test_a_recipe_that_is_too_long() -> None:
    assert "the recipe is too large" in refused_text(write("r.toml", "#" * (MAX_RECIPE + 1)))


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"a{number} = 0\n" for number in range(10_000)),
        "[rootfs]\npackages = [" + "'A'," * 10_000 + "]",
        "[rootfs]\npackages = [" + "1," * 10_000 + "]",
        "[rootfs]\npackages = [" + "'${A}'," * 10_000 + "]",
        "[rootfs]\nfiles = [" + "'a'," * 10_000 + "]",
    ],
)
def test_thousands_of_mistakes(text: str) -> None:
    found = refused_text(write("r.toml", f"name = 'x'\n{text}")).split("\n")
    assert 0 < len(found) <= MAX_ERRORS + 1


@pytest.mark.parametrize("count", [MAX_ERRORS - 1, MAX_ERRORS, MAX_ERRORS + 1])
def test_all_mistakes_are_told_up_to_a_hundred(count: int) -> None:
    text = "name = 'x'\n[rootfs]\npackages = [" + "'A'," * count + "]"
    with pytest.raises(Problems) as caught:
        load(write("r.toml", text))
    assert len(caught.value.errors) == min(count, MAX_ERRORS)


def test_arguments_do_not_grow_without_end() -> None:
    text = f"name = 'x'\n[args]\nA = '{'a' * 100_000}'\n[rootfs]\npackages = [{'${A}' * 10_000!r}]"
    assert "more than 16 Mi characters" in refused_text(write("r.toml", text))


def test_the_error_has_a_kind_of_its_own() -> None:
    with pytest.raises(Problems) as caught:
        load(write("r.toml", "name = 'x'\nextends = '../x.toml'"))
    assert [type(error) for error in caught.value.errors] == [OutOfReachError]
