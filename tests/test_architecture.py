"""Names of architectures and releases are in one module each, those of boot loaders in one room, and nowhere else."""

import ast
import dataclasses
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assembler.architecture import (
    AMD64,
    ARCHITECTURES,
    ARM64,
    DEFAULT,
    NAMES,
    Architecture,
    ArchitectureError,
    named,
    of_machine,
)
from assembler.errors import Problems
from assembler.initrd.libraries import MULTIARCH
from assembler.recipe.load import load
from assembler.recipe.model import Kernel, Recipe

PACKAGE = Path(__file__).parents[1] / "assembler"
OF_ARCHITECTURES = re.compile(
    r"amd64|x86|x64|i386|i686|aarch64|arm64|aa64|armhf|riscv|ppc64|s390|loong|bzImage|tty(S|AMA)\d|ovmf|aavmf|seabios",
    re.IGNORECASE,
)
OF_LOADERS = re.compile(
    r"grub|shim-(signed|helpers)|eltorito|systemd-boot|ipxe|isolinux|syslinux|boot\.cat", re.IGNORECASE
)
OF_RELEASES = re.compile(r"bookworm|trixie|forky|libarchive\d|linux-source-\d|deb1[23]|Debian 1[23]", re.IGNORECASE)

OTHERS: dict[str, dict[str, str]] = {
    "architecture": {
        "assembler/architecture.py": "it is where they are",
        "assembler/recipe/examples.py": "a reference for people shows what a recipe may say",
    },
    "loader": {
        "assembler/boot/": "it is where they are",
        "assembler/programs/inert.py": "maintainer scripts call update-grub, whatever starts the image",
    },
    "release": {
        "assembler/releases.py": "it is where they are",
        "assembler/recipe/examples.py": "a reference for people shows what a recipe may say",
    },
}
"""Where such names may be, and why."""


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its path."""
    return {
        path.relative_to(PACKAGE.parent).as_posix(): ast.parse(path.read_bytes())
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@functools.cache
def literals() -> list[tuple[str, int, str]]:
    """Strings and byte strings of all modules that are not documentation, as (module, line, text)."""
    found = []
    for name, tree in modules().items():
        nodes = list(ast.walk(tree))
        documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and id(node) not in documentation:
                if isinstance(node.value, str):
                    found.append((name, node.lineno, node.value))
                elif isinstance(node.value, bytes):
                    found.append((name, node.lineno, node.value.decode("latin-1")))
    return found


def found(pattern: re.Pattern[str], allowed: dict[str, str]) -> list[str]:
    """Literals of the package with such a name, where it is not allowed."""
    return [
        f"{name}:{line}: {text!r}"
        for name, line, text in literals()
        if pattern.search(text) and not name.startswith(tuple(allowed))
    ]


def test_only_the_table_of_loaders_knows_which_there_are() -> None:
    """The others know the table and the seam."""
    own = {"assembler.boot.loader", "assembler.boot.loaders"}
    for name, tree in modules().items():
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        loaders = {module for module in imported if module.startswith("assembler.boot.")} - own
        assert not loaders or name.startswith("assembler/boot/"), name


@pytest.mark.parametrize(
    ("kind", "pattern"), [("architecture", OF_ARCHITECTURES), ("loader", OF_LOADERS), ("release", OF_RELEASES)]
)
def test_a_name_is_in_its_own_place_and_nowhere_else(kind: str, pattern: re.Pattern[str]) -> None:
    assert found(pattern, OTHERS[kind]) == []
    # Every exception is one, and the search finds what it is for.
    for place in OTHERS[kind]:
        others = {other: why for other, why in OTHERS[kind].items() if other != place}
        assert any(line.startswith(place) for line in found(pattern, others)), place


def words(architecture: Architecture) -> set[str]:
    """All that is in the value, as texts."""

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple | frozenset):
            for each in value:
                yield from walk(each)
        elif isinstance(value, dict):
            for each in value.values():
                yield from walk(each)

    return set(walk(dataclasses.asdict(architecture)))


def test_no_two_architectures_are_called_the_same() -> None:
    for field in ("name", "machine", "triplet", "loader", "elf_machine", "efi", "oci", "kernel_package", "grub_efi"):
        values = [getattr(each, field) for each in ARCHITECTURES.values()]
        assert len(set(values)) == len(values), field
    assert len(MULTIARCH) == len(ARCHITECTURES) == len({each.calls.audit for each in ARCHITECTURES.values()})


@pytest.mark.parametrize("name", NAMES)
def test_each_is_complete_and_pure(name: str) -> None:
    it = named(name)
    assert it.name == name
    assert of_machine(it.machine) is it
    assert hash(it)  # all the way down
    for value in (it, it.kernel, it.calls, it.emulation):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(value)[0].name, "x")
    assert it.emulation.uefi_package in it.emulation.packages
    assert it.bios == bool(it.grub_bios)
    assert ("secure-boot" in it.emulation.firmware) == bool(it.emulation.secure_boot)
    assert {"linux-image-cloud-" + name, it.triplet, it.loader} <= words(it)


def test_what_make_makes_of_a_kernel() -> None:
    assert AMD64.kernel.made({"EFI_ZBOOT": "y"}) == ("bzImage", "arch/x86/boot/bzImage")
    assert ARM64.kernel.made({"EFI_ZBOOT": "n"}) == ARM64.kernel.made({}) == ("Image", "arch/arm64/boot/Image")
    assert ARM64.kernel.made({"EFI_ZBOOT": "y"}) == ("vmlinuz.efi", "arch/arm64/boot/vmlinuz.efi")


def test_of_an_unknown_one_it_is_said_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="riscv64") as caught:
        named("riscv64")
    assert all(name in caught.value.hint for name in NAMES)
    assert of_machine("riscv64") is None
    recipe = tmp_path / "x.toml"
    recipe.write_text('name = "x"\narch = "riscv64"\n')
    with pytest.raises(Problems, match=f"'riscv64' is not one of {', '.join(NAMES)}"):
        load(recipe)


def test_a_recipe_that_names_no_kernel_has_its_architectures() -> None:
    assert Recipe(name="x").kernel.package == DEFAULT.kernel_package
    for each in ARCHITECTURES.values():
        assert Recipe.model_validate({"name": "x", "arch": each.name}).kernel.package == each.kernel_package
        own = {"name": "x", "arch": each.name, "kernel": {"package": "linux-image-rt-x"}}
        assert Recipe.model_validate(own).kernel.package == "linux-image-rt-x"
    compiled = Kernel(source="vanilla", package="linux-source-6.12")
    assert Recipe(name="x", arch="arm64", kernel=compiled).kernel is compiled
    assert Recipe.model_validate({"name": "x", "arch": "arm64", "kernel": []} | {"kernel": {}}).kernel.package
