"""docs/changing.md: what a change touches is there, and is little."""

import re
from pathlib import Path

import pytest

from assembler.architecture import ARCHITECTURES
from assembler.boot.loaders import LOADERS
from assembler.cli.main import cli
from assembler.formats.squashfs import DEFAULT_LEVELS, LEVELS
from assembler.image.datasource import SEED
from assembler.recipe.checks import check
from assembler.recipe.model import Artifacts
from assembler.releases import RELEASES
from assembler.tools.source import built_in

ROOT = Path(__file__).parents[1]
CHANGES = {
    "disk format", "architecture", "boot loader", "release", "rule", "subcommand", "compression level", "datasource",
}  # fmt: skip
MOST = 4


def rows() -> dict[str, list[str]]:
    """The files by change."""
    text = (ROOT / "docs/changing.md").read_text("utf-8")
    return {
        change: re.findall(r"`([^`]+)`", files)
        for change, files in re.findall(r"^\| ([a-z ]+) \| (.*`) \|$", text, re.MULTILINE)
    }


def test_each_change_names_at_most_four_files() -> None:
    assert rows().keys() == CHANGES
    assert all(0 < len(files) == len(set(files)) <= MOST for files in rows().values())


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_the_files_are_there(change: str) -> None:
    """Of new ones, others of their kind are."""
    for name in rows()[change]:
        assert (ROOT / name).is_file() or ("NAME" in name and list(ROOT.glob(name.replace("NAME", "*")))), name


def test_pages_and_sections_have_the_same_changes() -> None:
    text = (ROOT / "docs/changing.md").read_text("utf-8")
    assert {title.lower() for title in re.findall(r"^## (.+)$", text, re.MULTILINE)} == CHANGES


def names_in(files: list[str]) -> str:
    """What there is of the files of a change, new ones by those of their kind."""
    found = [path for name in files for path in ROOT.glob(name.replace("NAME", "*"))]
    return "\n".join(f"{path.relative_to(ROOT)}\n{path.read_text('utf-8')}" for path in found if path.suffix != ".md")


def test_what_there_is_stands_in_the_files_of_its_change() -> None:
    """Every format, architecture, loader, release and command of today: were a file missing, its name would be, too."""
    files = rows()
    formats = re.findall(r"'([a-z0-9.]+)'", str(Artifacts.model_fields["formats"].annotation))
    assert len(formats) >= 3
    for change, names in {
        "disk format": formats,
        "architecture": list(ARCHITECTURES),
        "boot loader": list(LOADERS),
        "release": list(RELEASES),
        "subcommand": list(cli.commands),
        "datasource": [SEED.name, SEED.label],
    }.items():
        text = names_in(files[change])
        assert not [name for name in names if name not in text], change


def test_of_each_architecture_the_data_is_there() -> None:
    least = built_in().least
    for name, it in ARCHITECTURES.items():
        assert set(it.emulation.packages) <= least.keys()
        assert (ROOT / f"recipes/kernel/{name}.config").is_file()


def test_recipes_and_the_squashfs_agree_on_levels() -> None:
    for compression, levels in LEVELS.items():
        for level in (0, 1, 9, 10, 22, 23):
            problems = list(check({"livecd": {"compression": compression, "compression_level": level}}))
            assert bool(problems) is (level not in levels), (compression, level)
    assert all(level in LEVELS[compression] for compression, level in DEFAULT_LEVELS.items())
