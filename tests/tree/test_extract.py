"""Laying out an archive: nothing outside the directory is made, and no link leads there."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from tarfile import TarInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import Place
from assembler.tree.extract import extract, lay
from assembler.tree.tar import TarError, index, index_of
from tests.debian import debs

Item = tuple[tarfile.TarInfo, bytes]


def laid_out(work: Path, *items: Item) -> Path:
    archive, out = work / "x.tar", work / "room" / "out"
    archive.write_bytes(debs.tar(items))
    out.parent.mkdir()
    extract(index(archive, Place()), archive, out, Place(file="x.tar"))
    return out


def test_files_directories_and_links_inside(tmp_path: Path) -> None:
    out = laid_out(
        tmp_path,
        debs.directory("top"),
        debs.item("top/a/b/file", b"x", mode=0o4755),
        debs.hard("top/hard", "top/a/b/file"),
        debs.link("top/a/b/up", "../../hard"),
        debs.link("top/to-directory", "a/./b//file"),
        debs.link("top/c/dangling", "../nowhere"),
        debs.link("top/itself", "."),
    )
    assert (out / "hard").samefile(out / "a/b/file")
    assert (out / "a/b/file").stat().st_mode & 0o7777 == 0o755
    assert (out / "a/b/up").read_bytes() == b"x"
    assert (out / "c/dangling").readlink() == Path("../nowhere")
    assert (out / "itself").resolve() == out.resolve()


@pytest.mark.parametrize(
    "items",
    [
        [debs.link("top/l", "/")],
        [debs.link("top/l", "..")],
        [debs.link("top/a/l", "../..")],
        [debs.link("top/a/l", "../../top/a")],
        [debs.link("top/deep/down/l", "../.."), debs.link("top/m", "deep/down/l/../outside")],
        [debs.link("top/m", "a/../b")],
        [debs.directory("top/a"), debs.link("top/l", "a"), debs.item("top/l/x", b"x")],
        [debs.directory("top/a"), debs.link("top/l", "a"), debs.link("top/l/x", "y")],
        [debs.link("top/l/x", "y"), debs.directory("top/a"), debs.link("top/l", "a")],
        [debs.link("top/l", "a"), debs.link("top/l", "b")],
        [debs.item("top/f"), debs.link("top/f/l", "b")],
        [debs.item("top/f"), debs.item("top/f/x")],
        [debs.directory("top/d"), debs.hard("top/h", "top/d")],
        [debs.hard("top/h", "top/nothing")],
        [debs.link("top/l", "a"), debs.hard("top/h", "top/l")],
        [debs.item("top/h"), debs.hard("top/h", "top/h")],
        [debs.item("top/f"), debs.hard("top/h", "elsewhere/f")],
    ],
)
def test_what_leads_out_or_contradicts_itself_is_refused(tmp_path: Path, items: list[Item]) -> None:
    with pytest.raises(TarError):
        laid_out(tmp_path, debs.directory("top"), *items)
    assert {path.name for path in (tmp_path / "room").iterdir()} <= {"out"}


@pytest.mark.parametrize(
    ("items", "what", "why"),
    [
        (
            [debs.item("top/x"), debs.item("other/x")],
            "the archive has more than one directory at its top",
            "top, other",
        ),
        ([debs.item("file")], "the archive has a file at its top", "/file"),
        ([debs.link("top", "x")], "the archive has a file at its top", "/top"),
        (
            [debs.link("top/a/l", "b/../../c")],
            "a symbolic link leads out of the archive",
            "/top/a/l leads to b/../../c",
        ),
        ([debs.item("top/f"), debs.item("top/f/x")], "the archive contradicts itself", "/top/f/x: File exists"),
        ([debs.item("top/f"), debs.item("top/f")], "the archive contradicts itself", "/top/f: File exists"),
        ([debs.directory("top/l"), debs.link("top/l", "a")], "the archive contradicts itself", "/l: File exists"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, items: list[Item], what: str, why: str) -> None:
    with pytest.raises(TarError) as caught:
        laid_out(tmp_path, *items)
    assert (caught.value.what, caught.value.where) == (what, Place(file="x.tar"))
    assert caught.value.why.endswith(why)


def test_modes_and_other_kinds(tmp_path: Path) -> None:
    """Whether a file can be executed, by anybody, and nothing else of a mode."""
    modes = {0o600: 0o644, 0o666: 0o644, 0o100: 0o755, 0o010: 0o755, 0o001: 0o755, 0o4755: 0o755}
    files = [debs.item(f"top/{mode:o}", b"x", mode=mode) for mode in modes]
    fifo = tarfile.TarInfo("top/fifo")
    fifo.type = tarfile.FIFOTYPE
    out = laid_out(tmp_path, *files, (fifo, b""), debs.directory("top/a/b"), debs.directory("top/a"))
    assert {path.name: path.stat().st_mode & 0o7777 for path in out.iterdir() if path.is_file()} == {
        f"{mode:o}": laid for mode, laid in modes.items()
    }
    assert not (out / "fifo").exists()
    assert (out / "a/b").is_dir()


def test_a_hard_link_to_a_symbolic_one_is_none_through_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    place, target = tmp_path / "place", tmp_path / "link"
    target.symlink_to(outside)
    member = index_of(debs.tar([debs.hard("a", "b")]), Place())[0]
    lay(member, tmp_path, place, target)
    assert place.is_symlink()
    assert outside.stat().st_nlink == 1


_NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
_TARGETS = st.lists(st.sampled_from(["..", "..", ".", "a", "b", "c", ""]), min_size=1, max_size=5).map("/".join)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["file", "directory", "link", "link", "hard"]), _NAMES, _TARGETS), max_size=8)
)
def test_whatever_an_archive_says_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str, str]]
) -> None:
    work = tmp_path_factory.mktemp("extract")
    make: dict[str, Callable[[str, str], tuple[TarInfo, bytes]]] = {
        "file": lambda name, _: debs.item(name, b"x"),
        "directory": lambda name, _: debs.directory(name),
        "link": debs.link,
        "hard": lambda name, target: debs.hard(name, f"top/{target}"),
    }
    items = [make[kind](f"top/{name}", target) for kind, name, target in entries if kind != "link" or target]
    try:
        out = laid_out(work, debs.directory("top"), *items)
    except TarError:
        out = work / "room/out"
    assert [path.name for path in (work / "room").iterdir()] in ([], ["out"])
    for path in out.rglob("*"):
        # A link that leads to itself is resolved as far as it goes.
        assert os.path.realpath(path).startswith(str(out.resolve()))
