"""Modules from outside the kernel as a step: what decides them, and what they decide."""

from dataclasses import replace
from pathlib import Path

from assembler.lockfile.model import LockedPackage
from tests.layers.decided import INITRD, ISO, KERNEL, RECIPE, TREE
from tests.layers.test_keys import Project, decided, project_in

MODULES = "kernel.modules"
NAMED = 'package = "linux-image-a"\nmodules = [{ package = "a-dkms" }, { package = "b-dkms:amd64" }]\n'


def project(directory: Path, more: str = "") -> Project:
    directory.mkdir()
    return project_in(directory, RECIPE.replace('package = "linux-image-a"\n', NAMED + more))


def other_digest(found: Project, name: str) -> Project:
    def one(package: LockedPackage) -> LockedPackage:
        return replace(package, sha256="0" * 64) if package.name == name else package

    return replace(found, lock=replace(found.lock, packages=tuple(map(one, found.lock.packages))))


def test_what_decides_modules_and_what_they_decide(tmp_path: Path) -> None:
    first = project(tmp_path / "a")
    before = first.steps()
    assert before[TREE].inputs[MODULES] == before[MODULES].key
    # Debian's kernel has its modules in the root file system.
    assert MODULES not in before[INITRD].inputs
    for name in ("a-dkms", "b-dkms", "linux-headers-a", "gcc-14"):
        after = other_digest(first, name).steps()
        assert MODULES in decided(before, after), name
        assert after[TREE].key != before[TREE].key
    # What is compiled with is in no image.
    assert decided(before, other_digest(first, "gcc-14").steps()) == {MODULES, ISO}
    without = project_in(tmp_path / "a", RECIPE).steps()
    assert before.keys() - without.keys() == {MODULES}
    assert without[KERNEL].key == before[KERNEL].key
    assert without[TREE].key != before[TREE].key


def test_sources_of_one_name_count_each_by_itself(tmp_path: Path) -> None:
    first = project(tmp_path / "a")
    twice = tuple(
        replace(package, name="a-dkms") if package.name == "b-dkms" else package for package in first.lock.packages
    )
    inputs = replace(first, lock=replace(first.lock, packages=(*twice, *first.lock.role("modules")[1:]))).steps()
    assert {"kernel.modules[0]", "kernel.modules[1]"} <= inputs[MODULES].inputs.keys()


def test_the_key_is_a_secret_of_the_step(tmp_path: Path) -> None:
    first = project(tmp_path / "a", 'modules_key = "${KEY}"\n[args]\nKEY = ""\n')
    assert first.loaded.recipe.kernel.modules_key == ""
    signed = first.loaded.recipe.kernel.model_copy(update={"modules_key": "secret"})
    after = first.steps(recipe=first.loaded.recipe.model_copy(update={"kernel": signed}))
    assert set(after[MODULES].secrets) == {"kernel.modules_key"}
    assert after[MODULES].inputs == first.steps()[MODULES].inputs
    assert after[MODULES].key != first.steps()[MODULES].key
