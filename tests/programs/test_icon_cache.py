"""Caches of icons are what gtk-update-icon-cache writes."""

import hashlib
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.programs.glib_hash import StringSet
from assembler.programs.icon_data import icon_data
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind, Tree
from tests.programs.icon_themes import read_cache, theme
from tests.support.scripts import run
from tests.tree.disk import tree_of

MADE = "/usr/share/icons/made"
CACHE = f"{MADE}/icon-theme.cache"
UPDATE = f"gtk-update-icon-cache --force --quiet {MADE}\n"
REAL = "77066935aaf255a3c79590388d20510ba02a91535179ad73420858aaf302f29e"
"""What GTK 3.24.38, 4.18.6 and 4.24.1 (Debian 12, 13 and testing) write for the theme."""


def cache_of(files: dict[str, str], script: str = UPDATE) -> bytes:
    tree = tree_of(files)
    assert run(script, tree) == 0
    inode = tree.at(CACHE)
    assert (inode.kind, inode.mode) == (Kind.FILE, 0o644)
    return tree.read(CACHE)


def test_the_cache_is_that_of_the_real_programs() -> None:
    assert hashlib.sha256(cache_of(theme())).hexdigest() == REAL


def test_the_order_in_which_files_came_does_not_show() -> None:
    files = theme()
    assert cache_of(files) == cache_of(dict(reversed(files.items())))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz.-_AZ09", min_size=1), st.sampled_from(["png", "svg"]))))
def test_every_icon_is_found(icons: list[tuple[str, str, str]]) -> None:
    files = {f"{directory}/{name}.{kind}" for directory, name, kind in icons}
    tree = tree_of({f"{MADE}/index.theme": "", **{f"{MADE}/{file}": "" for file in files}})
    assert run(UPDATE, tree) == 0
    assert tree.exists(CACHE) is bool(files)
    found = read_cache(tree.read(CACHE)) if files else {}
    assert {f"{directory}/{name}" for directory, names in found.items() for name in names} == files


@given(st.lists(st.binary(max_size=6)))
def test_a_table_has_each_string_once(texts: list[bytes]) -> None:
    table = StringSet()
    for text in texts:
        table.add(text)
    assert sorted(table) == sorted(set(texts))
    assert len(table) == len(set(texts))
    assert all(text in table for text in texts)


def test_a_cache_goes_with_the_last_icon_and_replaces_what_was_there() -> None:
    tree = tree_of({f"{MADE}/index.theme": "", CACHE: "old", f"{MADE}/a/x.txt": ""})
    assert run(UPDATE, tree) == 0
    assert not tree.lexists(CACHE)
    tree = tree_of({f"{MADE}/index.theme": "", CACHE: "->/etc/x", "/etc/x": "1", f"{MADE}/a/x.png": ""})
    assert run(UPDATE, tree) == 0
    assert tree.read_text("/etc/x") == "1"
    assert tree.at(CACHE).kind is Kind.FILE


@pytest.mark.parametrize(
    ("command", "status"),
    [(f"-f {MADE}", 1), (f"-f -t {MADE}", 0), ("", 0), (f"-qft {MADE}/", 0), (f"--ignore-theme-index -i {MADE}", 0)],
)
def test_a_theme_has_an_index(command: str, status: int) -> None:
    tree = tree_of({f"{MADE}/a/x.png": ""})
    assert run(f"gtk-update-icon-cache {command}\n", tree) == status
    assert tree.exists(CACHE) is ("-t" in command or "ft" in command)


@pytest.mark.parametrize(
    ("files", "command", "why"),
    [
        ({"a/x y.png": ""}, "-f", "not valid"),
        ({"a/\u00e4.png": ""}, "-f", "not valid"),
        ({"a b/x.png": ""}, "-f", "not valid"),
        ({"a/x.png": "", "a/all": "->.."}, "-f", "within one another"),
        ({"a/x.icon": "[Other]\n"}, "-f", "unusual .icon"),
        ({"a/x.png": ""}, "--include-image-data -f", "an option"),
        ({"a/x.png": ""}, "--validate", "an option"),
        ({"a/x.png": "", "icon-theme.cache": "old"}, "", "as new as"),
        ({"a/x.png": "", "icon-theme.cache/x": ""}, "-f", "in the way"),
        ({"a/x.png": ""}, "-f /none", "with these arguments"),
    ],
)
def test_what_is_refused(files: dict[str, str], command: str, why: str) -> None:
    tree = tree_of({f"{MADE}/index.theme": "", **{f"{MADE}/{name}": text for name, text in files.items()}})
    with pytest.raises(Refused, match=why):
        run(f"gtk-update-icon-cache {command} {MADE}\n", tree)


def test_links_that_multiply_end_soon() -> None:
    tree = Tree()
    tree.write(f"{MADE}/index.theme", b"", parents=True)
    for number in range(40):
        tree.symlink("..", f"{MADE}/a/l{number}", parents=True)
    with pytest.raises(Refused):
        run(UPDATE, tree)


def test_names_that_were_made_to_collide_end_soon() -> None:
    names = ["".join(letters) for letters in product(("Aa", "B@"), repeat=12)]
    files = {f"{MADE}/index.theme": "", **{f"{MADE}/a/{name}.png": "" for name in names}}
    with pytest.raises(Refused, match="collide"):
        run(UPDATE, tree_of(files))


def test_a_theme_of_more_directories_than_it_has_numbers_for() -> None:
    tree = Tree()
    tree.write(f"{MADE}/index.theme", b"", parents=True)
    for number in range(0x10001):
        tree.write(f"{MADE}/{number}/x.png", b"", parents=True)
    with pytest.raises(Refused, match="directories"):
        run(UPDATE, tree)


@given(st.binary(max_size=80))
def test_icon_data_is_understood_or_refused(content: bytes) -> None:
    for text in (content, b"[Icon Data]\n" + content, b"[Icon Data]\nDisplayName=" + content):
        try:
            data = icon_data(text, "/x")
        except Refused:
            continue
        assert len(data.names) % 2 == 0
