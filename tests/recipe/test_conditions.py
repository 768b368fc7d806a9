"""Tables of a recipe that count on a condition: profiles that are asked for, and architectures."""

import tomllib
from pathlib import Path

import pytest

from assembler.errors import AssembleError, Place, Problems
from assembler.recipe import resolve
from assembler.recipe.conditions import MAX_PROFILES
from assembler.recipe.given import Arguments
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import portable

BASE = """
name = "base"
[args]
GREETING = "hello"
[rootfs]
packages = ["systemd-sysv", "curl"]
hostname = "h"
[architecture.arm64.rootfs]
packages_add = ["of-arm"]
[profile.debug.args]
GREETING = "debug"
[profile.debug.rootfs]
packages_add = ["gdb", "${GREETING}"]
enable = ["debug.service"]
[[profile.debug.rootfs.files]]
path = "/etc/motd"
content = "${GREETING}"
[profile.debug.architecture.arm64.rootfs]
packages_add = ["gdb-arm"]
[profile.tiny.rootfs]
packages_remove = ["curl"]
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("base.toml").write_text(BASE)
    return tmp_path


def recipe(text: str, *profiles: str, **args: str) -> LoadedRecipe:
    Path("r.toml").write_text(text)
    return load(Path("r.toml"), args, profiles=profiles)


def wrong(text: str, *profiles: str, **args: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        recipe(text, *profiles, **args)
    return [str(error) for error in caught.value.errors]


def on_base(text: str, *profiles: str, **args: str) -> list[str]:
    return recipe(f"extends = 'base.toml'\n{text}", *profiles, **args).recipe.rootfs.packages


@pytest.mark.parametrize(
    ("profiles", "arch", "packages"),
    [
        ((), "amd64", ["systemd-sysv", "curl"]),
        ((), "arm64", ["systemd-sysv", "curl", "of-arm"]),
        (("debug",), "amd64", ["systemd-sysv", "curl", "gdb", "debug"]),
        (("debug",), "arm64", ["systemd-sysv", "curl", "of-arm", "gdb", "debug", "gdb-arm"]),
        (("debug", "tiny"), "amd64", ["systemd-sysv", "gdb", "debug"]),
        (("debug", "debug"), "amd64", ["systemd-sysv", "curl", "gdb", "debug"]),
    ],
)
def test_what_counts(profiles: tuple[str, ...], arch: str, packages: list[str]) -> None:
    assert on_base(f"arch = '{arch}'", *profiles) == packages


def test_the_next_file_comes_after_the_profiles_of_one() -> None:
    own = "[rootfs]\npackages_add = ['own', 'gdb']\n"
    assert on_base(own, "debug") == ["systemd-sysv", "curl", "gdb", "debug", "own"]
    both = f"{own}[profile.debug.rootfs]\npackages_remove = ['own', 'gdb']\nhostname = 'd'"
    assert on_base(both, "debug") == ["systemd-sysv", "curl", "debug"]
    assert recipe(f"extends = 'base.toml'\n{both}", "debug").recipe.rootfs.hostname == "d"
    # A profile counts in the order in which it is asked for, in each file by itself.
    text = "name = 'x'\n[profile.a.rootfs]\nhostname = 'a'\n[profile.b.rootfs]\nhostname = 'b'\n"
    assert recipe(text, "a", "b").recipe.rootfs.hostname == "b"
    assert recipe(text, "b", "a").recipe.rootfs.hostname == "a"


def test_a_table_is_laid_over_its_file_as_a_recipe_is() -> None:
    """A file of the same path, a unit in another list, and twice in one table is a mistake as it is in one file."""
    text = """
    name = "x"
    [rootfs]
    enable = ["a.service"]
    [[rootfs.files]]
    path = "/etc/a"
    content = "x"
    [profile.p.rootfs]
    mask = ["a.service"]
    [[profile.p.rootfs.files_add]]
    path = "/etc/a"
    link = "b"
    """
    rootfs = recipe(text, "p").recipe.rootfs
    assert (rootfs.enable, rootfs.mask) == ([], ["a.service"])
    assert [file.link for file in rootfs.files] == ["b"]
    (error,) = wrong("name = 'x'\n[profile.p.rootfs]\npackages = ['aa']\npackages_add = ['aa']\n")
    assert error == "r.toml:4:17 profile.p.rootfs.packages_add[0]: 'aa' is listed twice (remove one of them)"


def test_the_architecture_is_found_out_first() -> None:
    by_argument = "name = 'x'\narch = '${ARCH}'\nargs.ARCH = 'amd64'\n[architecture.arm64]\nrootfs.hostname = 'arm'\n"
    assert recipe(by_argument).recipe.rootfs.hostname == "localhost"
    assert recipe(by_argument, ARCH="arm64").recipe.rootfs.hostname == "arm"
    by_profile = "name = 'x'\n[profile.pi]\narch = 'arm64'\n[architecture.arm64]\nrootfs.hostname = 'arm'\n"
    assert recipe(by_profile, "pi").recipe.rootfs.hostname == "arm"
    assert recipe("name = 'x'\n[architecture.amd64]\nrootfs.hostname = 'pc'\n").recipe.rootfs.hostname == "pc"
    (error,) = wrong(f"{by_argument}[architecture.amd64.args]\nARCH = 'arm64'")
    assert error.startswith("r.toml:2:1 arch: is another one with [architecture.amd64] than without")


def test_arguments_of_a_profile_may_be_given() -> None:
    text = "name = 'x'\n[profile.p.args]\nHOST = 'a'\n[profile.p.rootfs]\nhostname = '${HOST}'\n"
    assert recipe(text, "p", HOST="b").recipe.rootfs.hostname == "b"
    (error,) = wrong(text, HOST="b")
    assert error == "r.toml --arg HOST: the recipe has no argument HOST (it has: none)"


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profiles", "name"),
    [((), "base"), (("debug",), "base-debug"), (("tiny", "debug"), "base-tiny-debug"), (("named", "debug"), "n-debug")],
)
def test_images_of_profiles_have_names_and_locks_of_their_own(profiles: tuple[str, ...], name: str) -> None:
    loaded = recipe("extends = 'base.toml'\nprofile.named.name = 'n'", *profiles)
    assert loaded.recipe.name == name
    assert loaded.lock_path == Path(f"{name}.lock.toml")


def test_the_recipe_on_the_medium_has_no_conditions(tmp_path: Path) -> None:
    loaded = recipe("extends = 'base.toml'\narch = 'arm64'", "debug")
    (tmp_path / "medium").mkdir()
    for name, data in portable(loaded).items():
        (tmp_path / "medium" / name).write_bytes(data)
    path = tmp_path / "medium/recipe.toml"
    assert not tomllib.loads(path.read_text()).keys() & {"profile", "architecture", "extends", "args"}
    again = load(path)
    assert again.inputs_sha256 == loaded.inputs_sha256
    assert again.recipe == loaded.recipe.model_copy(update={"args": {}})
    assert again.lock_path.name == loaded.lock_path.name == "base-debug.lock.toml"


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("debg", "(did you mean debug? it has: debug, tiny)"), ("x", "(it has: debug, tiny)")],
)
def test_an_unknown_profile(asked: str, hint: str) -> None:
    (error,) = wrong("extends = 'base.toml'", "tiny", asked)
    assert error == f"r.toml --profile {asked}: the recipe has no profile {asked} {hint}"
    (error,) = wrong("name = 'x'", asked)
    assert error.endswith(f"the recipe has no profile {asked} (it has none)")


def test_everything_is_told_at_once() -> None:
    text = """
name = "x"
rootfs.timezon = "x"
[profile.a.rootfs]
hostnme = "x"
packages_remove = ["no-such"]
[profile.a.livecd]
timeout = 99
[profile.b.rootfs]
packages = ["${NO_SUCH}"]
[profile.b.architecture.arm64]
kernel.url = "x"
[architecture.arm64.livecd]
label = 3
[profile.B]
[architecture.arm46]
[profile.c]
extends = "base.toml"
profile.d = {}
[architecture.amd64]
arch = "arm64"
architecture.arm64 = {}
"""
    found = wrong(text)
    starts = [error.split(": ")[0] for error in found]
    assert starts == [
        "r.toml:3:8 rootfs.timezon",
        "r.toml:5:1 profile.a.rootfs.hostnme",
        "r.toml:6:20 profile.a.rootfs.packages_remove[0]",
        "r.toml:8:1 profile.a.livecd.timeout",
        "r.toml:10:13 profile.b.rootfs.packages[0]",
        "r.toml:12:8 profile.b.architecture.arm64.kernel.url",
        "r.toml:14:1 architecture.arm64.livecd.label",
        "r.toml:15:10 profile.B",
        "r.toml:16:15 architecture.arm46",
        "r.toml:18:1 profile.c.extends",
        "r.toml:19:1 profile.c.profile",
        "r.toml:21:1 architecture.amd64.arch",
        "r.toml:22:1 architecture.amd64.architecture",
    ]
    assert "(did you mean arm64?)" in found[8]
    # The same is wrong whatever is asked for.
    assert {error.split(": ")[0] for error in wrong(text, "a", "b")} == set(starts)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("profile = 'debug'", "r.toml:2:1 profile: must be a table of tables (as [profile.NAME])"),
        ("profile.debug = 1", "r.toml:2:9 profile.debug: must be a table (as [profile.NAME.rootfs])"),
        ("profiles.debug = {}", "r.toml:2:1 profiles: unknown key (did you mean profile?)"),
        ("architecture = 1", "r.toml:2:1 architecture: must be a table of tables (as [architecture.NAME])"),
    ],
)
def test_what_is_no_table(text: str, error: str) -> None:
    assert wrong(f"name = 'x'\n{text}") == [error]


def test_a_table_below_arch_is_told_where_it_belongs() -> None:
    (error,) = wrong("name = 'x'\n[arch.arm64.rootfs]\nhostname = 'x'")
    assert error.startswith(
        "r.toml:2:2 arch: must be a string, not a table (a table for images of one architecture is ["
    )


def test_what_depends_on_other_profiles_is_no_mistake() -> None:
    text = """
    name = "x"
    [profile.a.rootfs]
    packages_add = ["of-a=1"]
    [profile.b.rootfs]
    packages_remove = ["of-a"]
    [profile.c.rootfs]
    packages_add = ["of-a=2"]
    """
    for profiles in ((), ("a",), ("a", "b"), ("c",)):
        recipe(text, *profiles)
    (error,) = wrong(text, "b")
    assert "no recipe below has it in packages" in error
    (error,) = wrong(text, "a", "c")
    assert "contradicts 'of-a=1'" in error


def test_files_of_a_profile_are_read_when_it_is_asked_for() -> None:
    text = "name = 'x'\n[[profile.p.rootfs.files]]\npath = '/etc/a'\nsource = 'missing'\n"
    assert recipe(text).files == {}
    (error,) = wrong(text, "p")
    assert error.startswith("r.toml:4:1 profile.p.rootfs.files[0].source: the file is missing")
    archive = (
        "[[profile.p.debian.archives]]\nuris = ['https://a.example']\nsuites = ['./']\nsigned_by = 'missing.asc'\n"
    )
    assert recipe(f"name = 'x'\n{archive}").recipe.debian.archives == []


def test_names_of_files_are_relative_to_the_file_with_the_profile(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    text = "name = 'x'\n[profile.p.rootfs]\nfiles = [{ path = '/etc/a', source = 'a' }]\n"
    (tmp_path / "below/b.toml").write_text(text)
    (tmp_path / "below/a").write_text("hello")
    (named,) = recipe("extends = 'below/b.toml'", "p").files.values()
    assert named.data == b"hello"


def test_secrets_are_in_no_error_of_another_profile() -> None:
    Path("r.toml").write_text("name = 'x'\nargs.S = ''\n[profile.p]\nrootfs.hostname = '${S}'\n")
    with pytest.raises(Problems) as caught:
        load(Path("r.toml"), Arguments({"S": "hunter two"}))
    assert "hunter" not in str(caught.value)
    assert "profile.p.rootfs.hostname" in str(caught.value)


def test_there_are_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "".join(f"[profile.p{number}]\n" for number in range(MAX_PROFILES + 1))
    assert wrong(f"name = 'x'\n{many}") == [f"r.toml: a recipe has at most {MAX_PROFILES} profiles"]
    recipe(f"name = 'x'\n{many}".replace("[profile.p0]\n", ""))
    monkeypatch.setattr(resolve, "MAX_CHECKED", 100)
    (error,) = wrong(f"name = 'x'\n{many}".replace("[profile.p0]\n", ""))
    assert error == "r.toml: tables with a condition are too many: it has 34 values, and 32 such tables"


def test_an_error_after_loading_names_the_profile() -> None:
    loaded = recipe("extends = 'base.toml'", "debug")
    with pytest.raises(AssembleError) as caught, loaded.discreet():
        raise AssembleError("is not there", where=Place(package="gdb"))
    assert str(caught.value.where).startswith("base.toml:13:17 ")
