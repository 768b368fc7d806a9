"""Pages of the documentation: links lead somewhere, and what they list is what there is."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from assembler.cli.main import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ELSEWHERE = {"--fix", "--number", "--rounds", "--seconds", "--insecure-...", "--help", "--no-deps", "--python"}
"""Options of other programs, and one that there is not."""


def without_code(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Those of a page's headings, as forges make them."""
    counts: Counter[str] = Counter()
    found = set()
    for title in re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).lower()).replace(" ", "-")
        found.add(f"{slug}-{counts[slug]}" if counts[slug] else slug)
        counts[slug] += 1
    return found


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", without_code(page.read_text("utf-8")).replace("[`", "[").replace("`]", "]"))
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), f"{link}: a site has files only"
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_links_are_found() -> None:
    assert sum(1 for page in PAGES for _ in links(page)) > 60


def rows(page: str, pattern: str) -> set[str]:
    """What a regular expression finds in the first column of the tables of `page`."""
    first = re.findall(r"^\| (.*?) \|", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    return {found for cell in first for found in re.findall(pattern, cell)}


def test_the_map_has_every_directory() -> None:
    there = {path.name for path in (ROOT / "assembler").iterdir() if (path / "__init__.py").exists()}
    assert rows("docs/architecture.md", r"`assembler/(\w+)/`") == there


def test_the_readme_has_every_command() -> None:
    commands = {name for name, command in cli.commands.items() if not command.hidden and name != "build"}
    assert rows("README.md", r"^`assemble ([a-z]+)") == commands


def test_scripts_that_are_named_are_there() -> None:
    named = {name for page in PAGES for name in re.findall(r"scripts/([a-z0-9-]+)\b(?!/)", page.read_text("utf-8"))}
    assert "docs" in named
    assert [name for name in sorted(named) if not (ROOT / "scripts" / name).exists()] == []


def commands(command: click.Command) -> Iterator[click.Command]:
    """A command, and all that it is a group of."""
    yield command
    for under in command.commands.values() if isinstance(command, click.Group) else ():
        yield from commands(under)


def test_options_that_are_named_are_there() -> None:
    known = {option for command in commands(cli) for each in command.params for option in each.opts}
    assert "--offline" in known
    named = {
        option
        for page in PAGES
        for code in re.findall(r"`(--[^`]+)`", without_code(page.read_text("utf-8")))
        for option in re.findall(r"(?:^|\s)(--[a-z.-]+)", code)
    }
    assert len(named) > 30
    assert named - known - ELSEWHERE == set()


def test_pages_name_commands_that_there_are() -> None:
    called = re.compile(r"^(?: {4})?(?:scripts/)?assemble (\S+)", re.MULTILINE)
    first = [word for page in PAGES for word in called.findall(page.read_text("utf-8"))]
    assert len(first) > 5
    for word in first:
        assert word in cli.commands or word.endswith(".toml") or word in {"RECIPE", "COMMAND"}, word
