"""What a recipe wants executed: which steps it decides, as in :mod:`tests.layers.test_keys`, and what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.errors import Problems
from assembler.layers.asked import answered, unfit
from assembler.progress import SILENT
from assembler.recipe.load import load
from assembler.recipe.model import Answer, Debconf, Recipe, Rootfs, Run
from assembler.tree.staging import Tree
from tests.debian.unpacked import package
from tests.layers.decided import ISO, NAMED, RECIPE, TREE
from tests.layers.test_keys import decided, leaves_of, project_in, with_other, without_numbers
from tests.support.reporters import Recorder

EXECUTING = """
[rootfs.debconf]
preseed = ["a-preseed"]
[rootfs.debconf.answers.base]
"a/a" = "a"
"a/secret" = { type = "password", value = "a" }
[[rootfs.run]]
script = "a"
[[rootfs.run]]
file = "a-script"
files = ["a-named", "tree"]
"""
STEP = "rootfs.run[{}].{}"
EXECUTED: Mapping[str, tuple[object, set[str]]] = {
    "rootfs.debconf.preseed": (["b-preseed"], set()),
    "rootfs.debconf.answers": ({"base": {"a/a": Answer(value="b")}}, {TREE, ISO}),
    STEP.format(0, "script"): ("b", {TREE, ISO}),
    STEP.format(0, "name"): ("b", {ISO}),
    STEP.format(0, "environment"): ({"B": "b"}, {TREE, ISO}),
    STEP.format(1, "file"): ("b-script", set()),
    STEP.format(1, "files"): ({"b": "a-named"}, set()),
}
"""For each key another value, and the steps that it decides by themselves."""
BROUGHT: Mapping[str, set[str]] = {
    "rootfs.debconf.preseed[0]": {TREE, ISO},
    "rootfs.run[1].file": {TREE, ISO},
    "rootfs.run[1].files/a-named": {TREE, ISO},
    "rootfs.run[1].files/tree/below": {TREE, ISO},
}
"""The same for other bytes of the files that go with it."""


def test_every_key_is_in_the_table() -> None:
    found = {leaf for leaf in leaves_of(Recipe) if leaf.startswith(("rootfs.debconf.", "rootfs.run["))}
    assert found == {without_numbers(leaf) for leaf in EXECUTED}


def test_what_is_executed_decides_what_the_table_says(tmp_path: Path) -> None:
    project = project_in(tmp_path, RECIPE + EXECUTING)
    before, recipe, files = project.steps(), project.loaded.recipe, project.loaded.files
    for leaf, (new, expected) in EXECUTED.items():
        assert decided(before, project.steps(recipe=with_other(recipe, leaf, new))) == expected, leaf
    assert files.keys() - NAMED.keys() == BROUGHT.keys()
    for name, expected in BROUGHT.items():
        changed = {**files, name: replace(files[name], data=b"b")}
        assert decided(before, project.steps(files=changed)) == expected, name
    moved = {name.replace("below", "beside"): file for name, file in files.items()}
    assert decided(before, project.steps(files=moved)) == {TREE, ISO}


def test_an_answer_that_is_a_secret_is_in_the_root_file_system_alone(tmp_path: Path) -> None:
    project = project_in(tmp_path, RECIPE + EXECUTING)
    before, recipe = project.steps(), project.loaded.recipe
    answers = {"base": {"a/a": Answer(value="a"), "a/secret": Answer(value="b", type="password")}}
    after = project.steps(recipe=with_other(recipe, "rootfs.debconf.answers", answers))
    assert decided(before, after) == {TREE}
    assert before[TREE].inputs == after[TREE].inputs
    assert before[TREE].secrets != after[TREE].secrets


PACKAGES = [package(Tree(), "aa", templates="Template: aa/b\nType: boolean\nDescription: b\n")]
WRONG = """
name = "x"
[rootfs.debconf]
preseed = ["../secret"]
[rootfs.debconf.answers]
aa."aa/b" = "yes"
bb."bb/b" = { type = "string", value = "b" }
"""


def test_answers_are_judged_and_told_where_they_stand(tmp_path: Path) -> None:
    """And of a file that is not of the project, nothing is told but where."""
    (tmp_path / "secret").write_text("aa aa/hidden string x\naa aa/b boolean hidden\nhidden\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/r.toml").write_text(WRONG)
    loaded = load(tmp_path / "project/r.toml", allow_read=[tmp_path / "secret"])
    reporter = Recorder()
    files = {name: file.data for name, file in loaded.files.items()}
    found = answered(loaded.recipe.rootfs, files, PACKAGES, loaded.told, reporter).problems
    with pytest.raises(Problems) as caught, loaded.discreet():
        raise Problems(found)
    told = [*reporter.warnings, *map(str, caught.value.errors)]
    outside = "something is wrong in a file outside of the recipe's project (what it holds is shown only where it is"
    recipe = tmp_path / "project/r.toml"
    assert [each.partition(" of the project (--project)")[0] for each in told] == [
        f"../secret:1: {outside}",
        f"{recipe}:7:1 rootfs.debconf.answers.bb: 'bb' is no package of the image, and has 1 answer",
        f"../secret:3: {outside}",
        f"../secret:2: {outside}",
        f"{recipe}:6:4 rootfs.debconf.answers.aa.'aa/b': 'yes' is neither true nor false",
    ]


def test_answers_are_computed_with() -> None:
    debconf = Debconf(answers={"aa": {"aa/b": Answer(value="true")}})
    found = answered(Rootfs(debconf=debconf), {}, PACKAGES, lambda error: error, SILENT)
    assert not found.asking
    assert not found.problems
    assert found.text == found.public == "aa aa/b boolean true\n"
    assert not answered(Rootfs(debconf=debconf, scripts="computed"), {}, PACKAGES, lambda e: e, SILENT).problems


def test_secret_answers_are_for_packages_that_are_executed() -> None:
    answers = {"aa/b": Answer(value="true"), "aa/p": Answer(type="password", value="hidden")}
    debconf = Debconf(answers={"aa": answers})
    asks = "Template: aa/b\nType: boolean\nDescription: b\n\nTemplate: aa/p\nType: password\nDescription: p\n"
    packages = [package(Tree(), "aa", templates=asks)]
    found = answered(Rootfs(debconf=debconf), {}, packages, lambda error: error, SILENT)
    assert sorted(found.asking) == ["aa"]
    assert found.public == "aa aa/b boolean true\n"
    assert "hidden" in found.text
    (refused,) = answered(Rootfs(debconf=debconf, scripts="computed"), {}, packages, lambda e: e, SILENT).problems
    assert (refused.where.key, refused.where.package) == ("rootfs.scripts", "aa")


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        ("true", ""),
        ("#!/bin/sh", ""),
        ("#! /usr/bin/env -S python3 -P\nprint()\n", ""),
        ("#!" + "/" * 253, ""),
        ("#!" + "/" * 254, "as #!/bin/bash -e"),
        ("#!python3\n", "as #!/bin/bash -e"),
        ("#!\n/bin/sh\n", "as #!/bin/bash -e"),
        ("#!/bin/sh\r\ntrue\r\n", "carriage returns are at the ends of its lines"),
    ],
)
def test_interpreters_of_steps(script: str, hint: str) -> None:
    recipe = Rootfs(run=[Run(script="true"), Run(script=script), Run(file="f")])
    files = {"rootfs.run[2].file": script.encode()}
    told = [(error.where.key, error.hint) for error in unfit(recipe, files)]
    assert told == ([("rootfs.run[1].script", hint), ("rootfs.run[2].file", hint)] if hint else [])
