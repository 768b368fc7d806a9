"""A recipe that is shown: it says where everything comes from, means the same, and tells no secrets."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.printable import printable
from assembler.recipe.given import Arguments
from assembler.recipe.listing import text as listed
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.shown import shown

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.name for path in (ROOT / "recipes").glob("*.toml") if not path.name.endswith(".lock.toml"))


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def text_of(loaded: LoadedRecipe) -> str:
    return listed(shown(loaded))


def show(text: str, *profiles: str, name: str = "r.toml", **args: str) -> str:
    Path(name).write_text(text)
    return text_of(load(Path(name), args, profiles=profiles))


def again(text: str, name: str = "shown.toml", **args: str) -> LoadedRecipe:
    """The recipe that `text` is, beside the one that it was shown of."""
    Path(name).write_text(text)
    return load(Path(name), args)


BASE = """name = "base"
[args]
HOST = "node"
[rootfs]
packages = ["systemd-sysv", "systemd-timesyncd"]
hostname = "${HOST}-1"
enable = ["ssh.service", "a.service"]
[[rootfs.files]]
path = "/etc/a"
content = "a"
[[rootfs.files]]
path = "/etc/b"
source = "b"
[profile.debug.rootfs]
packages_add = ["gdb"]
"""
TOP = """extends = "below/base.toml"
name = "top"
[rootfs]
packages_add = ["chrony"]
packages_remove = ["systemd-timesyncd"]
disable = ["a.service"]
[[rootfs.files_add]]
path = "/etc/a"
content = \"\"\"
two
lines, "quoted" $${HOST}
\"\"\"
[rootfs.debconf.answers.postfix]
"postfix/main_mailer_type" = "No configuration"
[profile.debug.architecture.amd64]
arch_is_wrong_here = 1
"""
SHOWN = """\
# r.toml --profile debug, for amd64
# made of, each laid over those before:
#   below/base.toml
#   below/base.toml [profile.debug]
#   r.toml

name = "top-debug"  # r.toml:2, and --profile debug, in place of below/base.toml:1

[args]
HOST = "n"  # below/base.toml:3, given by --arg

[rootfs]
packages = [
  "systemd-sysv",  # below/base.toml:5
  "gdb",  # below/base.toml:15
  "chrony",  # r.toml:4
]
# rootfs.packages: systemd-timesyncd of below/base.toml:5 is removed by r.toml:5
hostname = "n-1"  # below/base.toml:6, with HOST
enable = ["ssh.service"]  # below/base.toml:7
# rootfs.enable: a.service of below/base.toml:7 is removed by r.toml:6
disable = ["a.service"]  # r.toml:6

[rootfs.debconf.answers.postfix]
"postfix/main_mailer_type" = "No configuration"  # r.toml:14

[[rootfs.files]]  # below/base.toml:11
path = "/etc/b"  # below/base.toml:12
source = "below/b"  # below/base.toml:13

[[rootfs.files]]  # r.toml:7, in place of below/base.toml:8
path = "/etc/a"  # r.toml:8
content = \"\"\"
two
lines, "quoted" $${HOST}
\"\"\"  # r.toml:9
"""


def test_all_that_makes_a_recipe_up() -> None:
    Path("below").mkdir()
    Path("below/base.toml").write_text(BASE)
    Path("below/b").write_text("b")
    top = TOP.partition("[profile.")[0]
    text = show(top, "debug", HOST="n")
    assert text == SHOWN
    loaded, second = load(Path("r.toml"), {"HOST": "n"}, profiles=["debug"]), again(text)
    assert second.lock_path == loaded.lock_path
    assert second.recipe.rootfs.files[1].content == 'two\nlines, "quoted" ${HOST}\n'
    (one,), (other,) = loaded.files.values(), second.files.values()
    assert one.data == other.data
    named = second.recipe.rootfs.files[0].model_copy(update={"source": "b"})
    rootfs = second.recipe.rootfs.model_copy(update={"files": [named, second.recipe.rootfs.files[1]]})
    assert second.recipe.model_copy(update={"rootfs": rootfs}) == loaded.recipe
    assert text_of(second).count("# shown.toml:") > 10


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_that_come_along_mean_the_same(name: str) -> None:
    shutil.copytree(ROOT / "recipes", "recipes")
    loaded = load(Path("recipes") / name, {"ROOT_PASSWORD": "!"})
    second = again(text_of(loaded), "recipes/shown.toml")
    assert second.recipe == loaded.recipe
    assert second.inputs_sha256 == loaded.inputs_sha256
    assert {key: file.data for key, file in second.files.items()} == {
        key: file.data for key, file in loaded.files.items()
    }
    # Once more, nothing is other: each file has only what was shown.
    third = again(text_of(second), "recipes/again.toml")
    assert third.recipe == second.recipe


def test_one_that_comes_along_names_its_files_so() -> None:
    loaded = load(Path("builtin:livecd.toml"))
    text = text_of(loaded)
    assert 'source = "builtin:files/hardening.conf"  # builtin:livecd.toml:' in text
    assert [file.data for file in again(text).files.values()] == [file.data for file in loaded.files.values()]


def test_a_release_is_shown_by_its_name() -> None:
    text = show("name = 'x'\ndebian.release = 'bookworm'")
    assert 'release = "bookworm"  # r.toml:2\n' in text
    assert again(text).recipe == load(Path("r.toml")).recipe
    text = show("name = 'x'\ndebian.release = 'bookworm'\ndebian.sources_add = 'Types: deb'")
    assert "release" not in tomllib.loads(text)["debian"]
    assert '"""  # r.toml:2, and r.toml:3\n' in text
    assert again(text).recipe == load(Path("r.toml")).recipe


def test_scripts_of_the_command_line() -> None:
    Path("r.toml").write_text("name = 'x'\nrootfs.scripts = 'auto'\n")
    text = text_of(load(Path("r.toml"), scripts="computed"))
    assert 'scripts = "computed"  # r.toml, given by --scripts\n' in text


def test_what_is_replaced_more_than_once() -> None:
    Path("a.toml").write_text("name = 'a'\nrootfs.packages = ['aa', 'bb']")
    Path("b.toml").write_text("extends = 'a.toml'\nname = 'b'\nrootfs.packages = ['cc']")
    text = show("extends = 'b.toml'\nname = 'c'\nrootfs.packages_add = ['dd']\n")
    assert 'name = "c"  # r.toml:2, in place of b.toml:2, a.toml:1\n' in text
    lines = 'packages = [  # in place of a.toml:2\n  "cc",  # b.toml:3\n  "dd",  # r.toml:3\n]\n'
    assert lines in text


# --- secrets --------------------------------------------------------------------------------------------------------

SECRETS = """
name = "x"
[args]
PASSWORD = "sekret-default"
TOKEN = "none"
OPEN = "open"
PART = "sekret-part"
[rootfs]
hostname = "${OPEN}"
root_password = "${PASSWORD}"
packages = ["${TOKEN}"]
[[rootfs.files]]
path = "/etc/public"
content = "${TOKEN} ${OPEN} $${TOKEN}\\n"
[[rootfs.files]]
path = "/etc/private"
content = "sekret-content ${PART} ${OPEN}"
mode = "0640"
[[rootfs.files]]
path = "/etc/key"
source = "key"
mode = "0600"
[rootfs.debconf.answers.slapd]
"slapd/password1" = { type = "password", value = "sekret-answer" }
"slapd/password2" = { type = "password", value = ["sekret-list"] }
"slapd/domain" = "example.org"
"""


def test_secrets_are_not_shown() -> None:
    Path("r.toml").write_text(SECRETS)
    Path("key").write_text("sekret-key")
    args = Arguments({"TOKEN": "sekret-token", "OPEN": "other"})
    args.open = frozenset({"OPEN"})
    text = text_of(load(Path("r.toml"), args))
    assert "sekret" not in text
    values = tomllib.loads(text)
    assert values["args"] == {
        "PASSWORD": "!",
        "TOKEN": "none",
        "OPEN": "other",
        "PART": "",
        "PRIVATE_FILE": "",
        "DEBCONF_PASSWORD": "",
        "DEBCONF_PASSWORD_2": "",
    }
    assert values["rootfs"]["root_password"] == "${PASSWORD}"
    assert values["rootfs"]["hostname"] == "other"
    assert values["rootfs"]["packages"] == ["${TOKEN}"]
    public, private, key = values["rootfs"]["files"]
    assert public["content"] == "${TOKEN} other $${TOKEN}\n"
    assert private == {"path": "/etc/private", "content": "${PRIVATE_FILE}", "mode": "0640"}
    assert key["source"] == "key"
    # Given back, it is the recipe that it was.
    given_back = {
        "PASSWORD": "sekret-default", "TOKEN": "sekret-token", "PART": "sekret-part",
        "PRIVATE_FILE": "sekret-content sekret-part other", "DEBCONF_PASSWORD": "sekret-answer",
        "DEBCONF_PASSWORD_2": "sekret-list",
    }  # fmt: skip
    second, first = again(text, **given_back), load(Path("r.toml"), args)
    assert second.recipe.model_copy(update={"args": {}}) == first.recipe.model_copy(update={"args": {}})


@pytest.mark.parametrize("password", ["sekret", "$6$salt$" + "s" * 86])
def test_a_password_in_the_recipe(password: str) -> None:
    text = show(f"name = 'x'\nargs.ROOT_PASSWORD = 'other'\nrootfs.root_password = '{password}'\n")
    assert password not in text
    assert 'root_password = "${ROOT_PASSWORD_2}"  # r.toml:3, not shown' in text
    assert tomllib.loads(text)["args"] == {"ROOT_PASSWORD": "other", "ROOT_PASSWORD_2": "!"}
    assert again(text).recipe.rootfs.root_password == "!"


def test_passwords_of_users_are_not_shown() -> None:
    text = show("name = 'x'\n[rootfs.users.a]\npassword = 'sekret'\nuid = 1500\n[rootfs.users.b]\npassword = '!'\n")
    assert "sekret" not in text
    values = tomllib.loads(text)
    assert values["args"] == {"USER_PASSWORD": "!"}
    assert values["rootfs"]["users"] == {"a": {"uid": 1500, "password": "${USER_PASSWORD}"}, "b": {"password": "!"}}
    assert again(text, USER_PASSWORD="sekret").recipe.rootfs == load(Path("r.toml")).recipe.rootfs


def test_what_a_recipe_says_in_short_is_shown_in_short() -> None:
    Path("below/tree/etc").mkdir(parents=True)
    Path("below/tree/etc/a").write_text("a")
    Path("below/template").write_text("${HOST} ${SECRET}")
    Path("below/base.toml").write_text("""
[rootfs]
sysctl."vm.swappiness" = 10
modules = ["nf_conntrack"]
trees = [{ source = "tree", modes = { "a" = "0600" } }]
[[rootfs.files]]
path = "/etc/t"
source = "template"
template = true
[rootfs.units."a.service"]
content = "[Service]\\nExecStart=/bin/true"
enable = true
""")
    args = Arguments({"SECRET": "sekret"})
    Path("r.toml").write_text("extends = 'below/base.toml'\nname = 'x'\nargs.HOST = 'h'\nargs.SECRET = ''\n")
    loaded = load(Path("r.toml"), args)
    text = text_of(loaded)
    assert "sekret" not in text
    assert 'source = "below/tree"  # below/base.toml:5\n' in text
    second = again(text, SECRET="sekret")
    assert [file.data for file in second.files.values()] == [file.data for file in loaded.files.values()]
    assert [file.path for file in second.recipe.rootfs.files] == [file.path for file in loaded.recipe.rootfs.files]
    assert tomllib.loads(text)["rootfs"]["units"] == {
        "a.service": {"content": "[Service]\nExecStart=/bin/true", "enable": True}
    }


def test_no_password_is_no_secret() -> None:
    assert tomllib.loads(show("name = 'x'\nrootfs.root_password = '!'"))["rootfs"] == {"root_password": "!"}


def test_what_stands_outside_of_the_project_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "p").mkdir()
    other = tmp_path / "outside/base.toml"
    other.write_text("args.A = 'sekret'\n[rootfs]\npackages = ['sekret-a',\n 'sekret-b']\nhostname = 'sekret-host'\n")
    top = tmp_path / "p/r.toml"
    top.write_text(f"extends = '{other}'\nname = 'x'\nrootfs.packages_add = ['own']\nrootfs.timezone = 'Etc/${{A}}'\n")
    text = text_of(load(top, allow_read=[other]))
    assert "sekret" not in text
    assert f"# rootfs.packages: {other}:3 to 4 is not shown, as it is outside of the project (--project)\n" in text
    assert tomllib.loads(text) == {
        "name": "x", "args": {"A": ""}, "rootfs": {"packages": ["own"], "timezone": "Etc/${A}"},
    }  # fmt: skip
    assert text_of(load(top, project=tmp_path)).count("sekret") > 3
    # A text that is appended to one of the project's own makes all of it a stranger's.
    other.write_text("debian.sources_add = 'Types: sekret'\n")
    top.write_text(f"extends = '{other}'\nname = 'x'\ndebian.release = 'bookworm'\n")
    text = text_of(load(top, allow_read=[other]))
    assert "sekret" not in text
    assert f"# debian.sources: {top}:3 is not shown" in text


@pytest.mark.parametrize(("value", "expected"), [("x$", "${A}${S}"), ("$", "${A}{S} ${S}"), ("${", "${A}S} ${S}")])
def test_a_text_with_a_secret_means_the_same_once_it_is_given(value: str, expected: str) -> None:
    Path("r.toml").write_text(f"name = 'x'\nargs.A = '{value}'\nargs.S = ''\n[[rootfs.files]]\npath = '/a'\n")
    with Path("r.toml").open("a") as file:
        file.write(f"content = '{expected}'\n")
    args = Arguments({"S": "sekret"})
    text = text_of(load(Path("r.toml"), args))
    assert tomllib.loads(text)["rootfs"]["files"][0]["content"] == expected
    assert again(text, S="sekret").recipe == load(Path("r.toml"), args).recipe


# --- what strangers write -------------------------------------------------------------------------------------------


def test_nothing_in_it_is_obeyed() -> None:
    name = "##[x]\n\x1b[2J.toml"
    Path(name).write_text(
        "name = 'x'\n[[rootfs.files]]\npath = '/a'\n"
        'content = "::set-output x\\n ::y\\n##[group]\\n\\u001b[2J\\u202e\\t\\u00a0#\\n"\n'
        "[rootfs.debconf.answers.pp]\n'pp/##vso[x]' = '##vso[task]'\n"
    )
    text = text_of(load(Path(name)))
    assert all(printable(line) == line for line in text.split("\n"))
    second = again(text)
    assert second.recipe == load(Path(name)).recipe


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.lists(
    st.sampled_from(['"', '"""', "\\", "\n", "::", "##[x", "${", "}", "$", "A", "${A}", "${S}", "$${A}", "\r", " "]),
    max_size=9,
).map("".join)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(public=TEXTS, argument=TEXTS, key=TEXTS)
def test_any_text_means_the_same(public: str, argument: str, key: str) -> None:
    values: dict[str, Any] = {"A": argument, "S": "sekret"}
    text = _toml(public.replace("${B}", ""))
    Path("r.toml").write_text(
        f"name = 'x'\nargs.A = {_toml(argument)}\nargs.S = 'sekret'\n[[rootfs.files]]\npath = '/a'\ncontent = {text}\n"
        f"[[rootfs.run]]\nscript = {_toml('x' + key.replace(chr(0), ''))}\n"
    )
    first = load(Path("r.toml"), values)
    shown_text = text_of(first)
    assert all(printable(line) == line for line in shown_text.split("\n"))
    assert again(shown_text).recipe == first.recipe
    secret = Arguments({"S": "sekret"})
    assert again(text_of(load(Path("r.toml"), secret)), S="sekret").recipe == first.recipe


def _toml(text: str) -> str:
    return '"' + "".join(f"\\U{ord(one):08x}" for one in text) + '"'
