"""What a recipe says of scripts: how they are handled, answers for debconf, and steps of its own."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from assembler.configure.passwords import of_root as hashed_password
from assembler.errors import Problems
from assembler.recipe import brought, walk
from assembler.recipe.checks import MAX_STEPS
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.model import Answer, Debconf, Rootfs, Run
from assembler.recipe.portable import portable
from assembler.recipe.walk import MAX_DEPTH


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "project"
    (directory / "tree/sub").mkdir(parents=True)
    (directory / "tree/a").write_text("a")
    (directory / "tree/sub/b").write_text("b")
    (directory / "one.sh").write_text("#!/bin/bash\ntrue\n")
    (directory / "answers").write_text("a a/b string c\n")
    monkeypatch.chdir(directory)
    return directory


def loaded(text: str, args: Mapping[str, str] | None = None, name: str = "r.toml") -> LoadedRecipe:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"name = 'x'\n{text}")
    return load(path, args)


def refused(text: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        loaded(text)
    return [str(error).removeprefix("r.toml:") for error in caught.value.errors]


def answers(text: str) -> dict[str, Answer]:
    return loaded(f"[rootfs.debconf.answers.aa]\n{text}").recipe.rootfs.debconf.answers["aa"]


def carried(files: Mapping[str, bytes], directory: Path) -> Path:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory / "recipe.toml"


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'Internet Site'", "Internet Site"),
        ("''", ""),
        ("true", "true"),
        ("false", "false"),
        ("['a', 'b']", "a, b"),
        ("['a, b', 'c']", "a\\, b, c"),
        ("[]", ""),
        ("{ value = ['a'] }", "a"),
        ("{ value = true }", "true"),
    ],
)
def test_an_answer_is_text_for_debconf(written: str, value: str) -> None:
    assert answers(f"'a/b' = {written}") == {"a/b": Answer(value=value)}


def test_an_answer_may_name_its_type() -> None:
    text = "'a/b' = { type = 'select', value = 'x' }\n'a/c'.type = 'password'\n'a/c'.value = 'secret'\n"
    found = answers(text)
    assert found == {"a/b": Answer(type="select", value="x"), "a/c": Answer(type="password", value="secret")}
    assert [each.private for each in found.values()] == [False, True]
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("'a/b' = 3", "'a/b'.value: is not an answer"),
        ("'a/b' = [1]", "'a/b'.value: is not an answer"),
        ("'a/b' = {}", "'a/b'.value: is missing"),
        ("'a/b' = { valu = 'x' }", "'a/b'.valu: unknown key (did you mean value?)"),
        ("'a/b' = { value = 'x', type = 'strings' }", "'strings' is not one of string, boolean"),
        ('"a/b" = "two\\nlines"', "the value is not an answer"),
        ('"a/b" = "back\\\\"', "the value is not an answer"),
        ("'a/b' = { value = '', type = 'password' }", "'a/b'.value: the password is empty"),
        ("'a b' = 'x'", "'a b' is not a question"),
        ("'#b' = 'x'", "'#b' is not a question"),
    ],
)
def test_what_is_no_answer(written: str, told: str) -> None:
    found = refused(f"[rootfs.debconf.answers.aa]\n{written}\n")
    assert any(told in each for each in found), found
    assert all(each.startswith("3:") and " rootfs.debconf.answers.aa." in each for each in found)


def test_a_password_is_in_no_error() -> None:
    found = refused("""[rootfs.debconf.answers]\naa = { "a/b" = { type = "password", value = "pass\\u0007word" } }\n""")
    assert "word" not in "".join(found).replace("password", "")


def test_an_owner_is_a_package() -> None:
    (told,) = refused("[rootfs.debconf.answers.'aa:amd64']\n'a/b' = 'c'\n")
    assert "'aa:amd64' is not a package" in told


def test_answers_merge_by_question() -> None:
    Path("base.toml").write_text(
        "[rootfs.debconf]\npreseed = ['answers']\n"
        "[rootfs.debconf.answers]\naa = { 'a/1' = '1', 'a/2' = { type = 'string', value = '2' } }\nbb.'b/1' = '1'\n"
    )
    Path("more").write_text("")
    text = "[rootfs.debconf]\npreseed_add = ['more']\n[rootfs.debconf.answers]\naa = { 'a/2' = 'two', 'a/3' = true }\n"
    recipe = loaded(f"extends = 'base.toml'\n{text}")
    assert recipe.recipe.rootfs.debconf == Debconf(
        preseed=["answers", "more"],
        answers={
            "aa": {"a/1": Answer(value="1"), "a/2": Answer(value="two"), "a/3": Answer(value="true")},
            "bb": {"b/1": Answer(value="1")},
        },
    )
    assert {name: file.data for name, file in recipe.files.items()} == {
        "rootfs.debconf.preseed[0]": b"a a/b string c\n",
        "rootfs.debconf.preseed[1]": b"",
    }


def test_preseeds_are_files_that_are_named_once() -> None:
    found = refused("[rootfs.debconf]\npreseed = ['answers', '', 'answers', 'nothing', '/etc/hostname']\n")
    assert [each.partition(": ")[2].partition(":")[0] for each in found] == [
        "is empty (name a file)",
        "'answers' is listed twice (remove one of them)",
        "the file is missing",
        "the file is outside of the recipe's project",
    ]


# --- steps -----------------------------------------------------------------------------------------------------------


def test_steps() -> None:
    found = loaded(
        "[[rootfs.run]]\nscript = 'true'\nenvironment = { A = 'b c' }\n"
        "[[rootfs.run]]\nfile = 'one.sh'\n[[rootfs.run]]\nfile = 'one.sh'\nname = 'the last'\n"
    )
    steps = found.recipe.rootfs.run
    assert steps[0] == Run(script="true", environment={"A": "b c"})
    assert [step.label(index) for index, step in enumerate(steps)] == ["step 1", "step 2 (one.sh)", "the last"]
    files = {name: file.data for name, file in found.files.items()}
    assert [brought.script(step, files, index) for index, step in enumerate(steps)] == [
        b"#!/bin/sh -e\ntrue",
        *[b"#!/bin/bash\ntrue\n"] * 2,
    ]


def test_steps_are_added_to_those_of_the_base() -> None:
    Path("base.toml").write_text("[[rootfs.run]]\nscript = 'first'\n")
    found = loaded("extends = 'base.toml'\n[[rootfs.run_add]]\nscript = 'second'\n")
    assert [step.script for step in found.recipe.rootfs.run] == ["first", "second"]


def test_more_steps_than_there_may_be() -> None:
    step = "[[rootfs.run]]\nscript = 'a'\n"
    assert len(loaded(step * MAX_STEPS).recipe.rootfs.run) == MAX_STEPS
    (error,) = refused(step * (MAX_STEPS + 1))
    assert error == "202:1 rootfs.run[100]: a recipe has at most 100 steps (do more in one of them)"


def test_files_that_a_step_brings_along(project: Path) -> None:
    (project / "tree/a").chmod(0o700)
    text = "files = ['tree', 'one.sh']\n[[rootfs.run]]\nscript = 'b'\nfiles = { 'x/y' = 'tree', z = 'one.sh' }\n"
    found = loaded(f"[[rootfs.run]]\nscript = 'a'\n{text}")
    named = {name: file.data for name, file in found.files.items()}
    script = b"#!/bin/bash\ntrue\n"
    assert brought.of_step(named, 0) == {"one.sh": script, "tree/a": b"a", "tree/sub/b": b"b"}
    assert brought.of_step(named, 1) == {"x/y/a": b"a", "x/y/sub/b": b"b", "z": script}
    assert brought.of_step(named, 2) == {}
    assert found.recipe.rootfs.run[0].files == {"tree": "tree", "one.sh": "one.sh"}


def test_what_comes_with_the_assembler_can_be_brought_along() -> None:
    found = loaded("[[rootfs.run]]\nscript = 'a'\nfiles = ['builtin:cloud-init/kubeadm-init.yaml']\n")
    assert list(found.files) == ["rootfs.run[0].files/kubeadm-init.yaml"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = 'a'", "rootfs.run[0]: says nothing of what is executed"),
        ("script = 'a'\nfile = 'one.sh'", "4:1 rootfs.run[0].file: contradicts script"),
        ("file = ''", "3:1 rootfs.run[0].file: is empty"),
        ("file = 'two.sh'", "3:1 rootfs.run[0].file: the file is missing: there is no two.sh (did you mean one.sh?)"),
        ("file = '/etc/hostname'", "3:1 rootfs.run[0].file: the file is outside of the recipe's project"),
        ('script = " \\n"', "3:1 rootfs.run[0].script: ' \\n' is not a script"),
        ('script = "a\\u0000"', "3:1 rootfs.run[0].script: 'a\\x00' is not a script"),
        ("script = 'a'\nenvironment.'a-b' = ''", "'a-b' is not a variable of one's own"),
        ("script = 'a'\nenvironment.ASSEMBLE_FILES = ''", "'ASSEMBLE_FILES' is not a variable of one's own"),
        ("script = 'a'\nenvironment.SOURCE_DATE_EPOCH = ''", "'SOURCE_DATE_EPOCH' is not a variable of one's own"),
        ("script = 'a'\nenvironment.A = 3", "rootfs.run[0].environment.A: must be a string, not an integer"),
        ("script = 'a'\nfiles = 'tree'", "rootfs.run[0].files: must be an array of file names, or a table"),
        ("script = 'a'\nfiles = [3]", "rootfs.run[0].files: must be an array of file names, or a table"),
        ("script = 'a'\nfiles = ['.']", "4:10 rootfs.run[0].files[0]: names no file"),
        ("script = 'a'\nfiles = ['..']", "4:10 rootfs.run[0].files[0]: names no file"),
        ("script = 'a'\nfiles = ['tree/a', 'sub/a']", "rootfs.run[0].files[1]: 'a' is brought twice"),
        ("script = 'a'\nfiles = { a = 'one.sh', 'a/b' = 'tree' }", "'a/b' is below 'a', which is brought, too"),
        ("script = 'a'\nfiles = { '../a' = 'one.sh' }", "'../a' is not a relative path"),
        ("script = 'a'\nfiles = { '/a' = 'one.sh' }", "'/a' is not a relative path"),
        ("script = 'a'\nfiles = ['/etc/hostname']", "the file is outside of the recipe's project"),
        ("script = 'a'\nfiles = ['/etc']", "the file is outside of the recipe's project"),
        ("script = 'a'\nfiles = ['nothing']", "the file is missing: there is no nothing"),
        ("script = 'a'\nfiles = ['builtin:nothing']", "no file of this name comes with the assembler"),
    ],
)
def test_what_is_no_step(text: str, told: str) -> None:
    found = refused(f"[[rootfs.run]]\n{text}\n")
    assert any(told in each for each in found), found


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("link", "tree/sub/x is a symbolic link"),
        ("pipe", "tree/sub/x is neither a file nor a directory"),
        ("name", r"a file in the directory has a name that is not text: '\xff'"),
        ("line", r"a file in the directory has a name that is not text: 'a\nb'"),
        ("empty", "the directory has no file to bring along"),
        ("deep", f"more than {MAX_DEPTH} directories in one another"),
    ],
)
def test_directories_that_are_not_brought_along(project: Path, kind: str, told: str) -> None:
    name = "."
    match kind:
        case "link":
            (project / "tree/sub/x").symlink_to("/etc/hostname")
        case "pipe":
            os.mkfifo(project / "tree/sub/x")
        case "name":
            (project / os.fsdecode(b"tree/sub/\xff")).touch()
        case "line":
            (project / "tree/sub/a\nb").touch()
        case "empty":
            name = "tree/none"
            (project / "tree/none/at/all").mkdir(parents=True)
        case "deep":
            (project / "tree" / "/".join("d" * (MAX_DEPTH + 2))).mkdir(parents=True)
    (error,) = refused(f"[[rootfs.run]]\nscript = 'a'\nfiles = {{ x = '{'tree' if name == '.' else name}' }}\n")
    assert error.startswith("4:11 rootfs.run[0].files.x: ")
    assert told.removeprefix("tree/") in error


def test_a_directory_with_too_much(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MAX_ENTRIES", 3)
    text = "[[rootfs.run]]\nscript = 'a'\nfiles = ['tree']\n"
    assert len(loaded(text).files) == 2
    (project / "tree/c").touch()
    (error,) = refused(text)
    assert "more than 3 files and directories" in error


def test_more_files_than_the_recipe_on_a_medium_lists(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[[rootfs.run]]\nscript = 'a'\nfiles = ['tree']\n"
    exactly = sum(len(name) + 80 for name in ("rootfs.run[0].files/tree/a", "rootfs.run[0].files/tree/sub/b"))
    monkeypatch.setattr(brought, "MAX_LISTED", exactly)
    assert len(loaded(text).files) == 2
    (project / "tree/c").touch()
    (error,) = refused(text)
    assert "2:10 rootfs.run: steps bring along 3 files, which is too many" in error


def test_a_directory_that_a_link_leads_to_is_the_projects_own(project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/word").touch()
    (project / "out").symlink_to(tmp_path / "secret")
    (project / "in").symlink_to("tree")
    text = "[[rootfs.run]]\nscript = 'a'\nfiles = ['out']\n"
    (error,) = refused(text)
    assert "outside of the recipe's project" in error
    assert "word" not in error
    assert list(loaded(text.replace("out", "in")).files) == ["rootfs.run[0].files/in/a", "rootfs.run[0].files/in/sub/b"]


# --- what it decides -------------------------------------------------------------------------------------------------

WHOLE = """
[args]
PASSWORD = "secret word"
[rootfs]
scripts = "executed"
[rootfs.debconf]
preseed = ["answers"]
[rootfs.debconf.answers.aa]
"a/b" = ["a", "b"]
"a/c" = { type = "password", value = "${PASSWORD}" }
[[rootfs.run]]
name = "first"
script = "echo '$${HOME}' > /x"
environment = { A = "b" }
files = ["tree", "one.sh"]
[[rootfs.run]]
file = "one.sh"
"""


def test_what_is_taken_along_says_the_same(tmp_path: Path) -> None:
    first = loaded(WHOLE)
    files = portable(first)
    assert not any(b"secret" in data for data in files.values())
    path = carried(files, tmp_path / "other")
    with pytest.raises(Problems, match="the password is empty"):
        load(path)
    second = load(path, {"DEBCONF_PASSWORD_1": "secret word"})
    assert portable(second) == files, "and so it stays"
    assert second.recipe.rootfs.debconf.answers == first.recipe.rootfs.debconf.answers
    assert second.recipe.rootfs.scripts == "executed"
    assert second.inputs_sha256 == first.inputs_sha256
    assert [step.script for step in second.recipe.rootfs.run] == ["echo '${HOME}' > /x", None]
    assert {name: file.data for name, file in second.files.items()} == {
        name: file.data for name, file in first.files.items()
    }


def test_another_password_is_taken_along_as_the_same() -> None:
    assert portable(loaded(WHOLE, {"PASSWORD": "other"})) == portable(loaded(WHOLE))


def test_nothing_of_it_decides_what_is_locked() -> None:
    without = "[rootfs]\nhostname = 'a'\n"
    assert loaded(WHOLE).inputs_sha256 == loaded(without).inputs_sha256
    assert loaded(WHOLE).sha256 != loaded(without).sha256


def test_a_password_in_clear_is_hashed_as_ever() -> None:
    """Of an image that was built before there were these keys, /etc/shadow has this very line."""
    plain = Rootfs(root_password="root")
    assert hashed_password(plain).startswith("$6$UT/rSA/68JH2quoh$")
    whole = loaded(WHOLE).recipe.rootfs.model_copy(update={"root_password": "root"})
    assert hashed_password(whole) == hashed_password(plain)


# --- for one build ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "rootfs.scripts = 'executed'\n", "rootfs.hostname = 'a'\n"])
def test_what_the_caller_says_of_scripts_is_as_if_the_recipe_said_it(text: str) -> None:
    path = loaded(text).path
    found = load(path, scripts="computed")
    said = loaded(text.replace("rootfs.scripts = 'executed'\n", "") + "rootfs.scripts = 'computed'\n")
    assert found == said
    assert found.recipe.rootfs.scripts == "computed"


def test_what_is_wrong_in_the_recipe_is_told_all_the_same() -> None:
    path = Path("r.toml")
    path.write_text("rootfs = 3\n")
    with pytest.raises(Problems) as caught:
        load(path, scripts="auto")
    assert [str(error.where) for error in caught.value.errors] == ["r.toml name", "r.toml:1:1 rootfs"]
