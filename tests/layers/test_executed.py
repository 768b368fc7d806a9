"""What a recipe wants executed: which steps it decides, as in :mod:`tests.layers.test_keys`, and what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from assembler.recipe.model import Answer, Recipe
from tests.layers.test_keys import ISO, NAMED, RECIPE, TREE, decided, leaves_of, project_in, with_other, without_numbers

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
