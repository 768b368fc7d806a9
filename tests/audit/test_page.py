"""The page about a comparison as text: what is said where, and how much of it before somebody asks."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.audit.compare import Change, Comparison, PackageChange
from assembler.audit.inventory import Item
from assembler.audit.maps import by_directory, by_package, figure
from assembler.audit.markup import growth, pair, path, size
from assembler.audit.report import page
from assembler.audit.treemap import Box, Part, squarify
from assembler.image.names import ISO_CONTENTS, ISO_INITRD, ISO_SQUASHFS
from assembler.lock.changes import changes
from tests.lockfile.test_toml import LOCK

SAME = changes(LOCK, LOCK)


def change(name: str, package: str = "", *, layer: str = "rootfs", **more: object) -> Change:
    fields = more.pop("fields", {"mode": ("0755", "0644")})
    return Change(layer=layer, path=name, package=package, fields=fields, **more)  # type: ignore[arg-type]


def package(name: str, old: str = "1", new: str = "2") -> PackageChange:
    return PackageChange(name=name, architecture="amd64", old=old, new=new)


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    for name, data in (("a", b""), ("b", b"x")):
        (tmp_path / name).write_bytes(data)
    return tmp_path / "a", tmp_path / "b"


def shown(
    sides: tuple[Path, Path], *found: Change, packages: tuple[PackageChange, ...] = (), lock: bool = False
) -> str:
    """The page without what is before its heading."""
    other = changes(LOCK, replace(LOCK, recipe_sha256="0" * 64)) if lock else SAME
    text = page(Comparison(changes=found, packages=packages, lock=other), *sides)
    return text[text.index("<h1>") :]


def test_sides(sides: tuple[Path, Path]) -> None:
    text = shown(sides)
    assert text.startswith(
        '<h1>a and b</h1>\n<p class="verdict">They are the same, byte for byte.</p>\n<div class="sides">\n'
        "<div><b>A, the old one</b><dl><dt>file</dt><dd>/<wbr>"
    )
    assert "<dt>size</dt><dd>0 bytes</dd><dt>SHA-256</dt><dd>e3b0c442" in text
    assert "<dt>size</dt><dd>1 byte</dd>" in text
    assert "<h2>" not in text
    assert '<p class="note">' not in text
    (sides[1].parent / "d").mkdir()
    same = sides[1].rename(sides[1].parent / "d" / "a")
    assert "<h1>a</h1>\n" in shown((sides[0], same)), "one name is said once"


@pytest.mark.parametrize(
    ("found", "packages", "said"),
    [
        ((change("x"),), (), "They differ: 1 path that differs."),
        ((change("x"), change("y")), (), "They differ: 2 paths that differ."),
        ((), (package("a"),), "They differ: 1 package changed."),
        (
            (change("x"),),
            (package("a"), package("b", "", "1"), package("c", "", "1"), package("d", "1", "")),
            "They differ: 2 packages added, 1 package changed, 1 package removed, 1 path that differs.",
        ),
    ],
)
def test_the_verdict(
    sides: tuple[Path, Path], found: tuple[Change, ...], packages: tuple[PackageChange, ...], said: str
) -> None:
    assert f'<p class="verdict">{said}</p>' in shown(sides, *found, packages=packages)


def test_a_lock_alone(sides: tuple[Path, Path]) -> None:
    text = shown(sides, lock=True)
    assert '<p class="verdict">They differ.</p>' in text
    assert "<h2>Lock</h2><details open>" in text, "there is nothing else to see"
    assert '<div class="pre">Another recipe.</div>' in text
    assert "<h2>Lock</h2><details>" in shown(sides, packages=(package("a"),), lock=True)


def test_layers_are_in_their_order(sides: tuple[Path, Path]) -> None:
    found = [change("x", layer=layer) for layer in ("file", "iso", "rootfs", "kernel", "initrd", "rootfs")]
    text = shown(sides, *found)
    assert re.findall(r"<tr><td>(\w+)</td><td>(\d+)</td>\n</tr>", text) == [
        ("kernel", "1"), ("initrd", "1"), ("rootfs", "2"), ("iso", "1"), ("file", "1"),
    ]  # fmt: skip
    assert "<th>paths that differ</th>\n</tr>" in text, "nothing is known of sizes"


@pytest.mark.parametrize(("number", "more"), [(40, ""), (41, "1 more"), (42, "2 more"), (1041, "1,001 more")])
def test_packages_of_which_most_are_folded(sides: tuple[Path, Path], number: int, more: str) -> None:
    text = shown(sides, packages=tuple(package(f"p{each:04}") for each in range(number)))
    seen, *folded = text.partition("<h2>Packages</h2>")[2].split("<details>")
    assert seen.count("<tr>") == min(number, 40)
    assert [each.partition("</summary>")[0].removeprefix("<summary>") for each in folded] == ([more] if more else [])
    assert sum(each.count("<tr>") for each in folded) == number - min(number, 40)
    assert '<tr><td>p0000 <span class="tag">amd64</span></td><td><del>1</del> → <ins>2</ins> changed</td></tr>' in seen


@pytest.mark.parametrize(("number", "more"), [(40, ""), (41, "1 more"), (45, "5 more")])
def test_what_to_look_at_first_is_not_all_of_it(sides: tuple[Path, Path], number: int, more: str) -> None:
    text = shown(sides, *(change(f"/etc/pam.d/{each}") for each in range(number)))
    assert text.count("<span>who may log in, and how</span>") == number
    seen, _, folded = text.partition("<h2>To look at first</h2>")[2].partition("<h2>")[0].partition("<details>")
    assert seen.count("<li>") == min(number, 40)
    assert folded.partition("</summary>")[0].removeprefix("<summary>") == more
    assert folded.count("<li>") == number - min(number, 40)


def groups(text: str) -> list[tuple[str, bool]]:
    """What the paths are grouped by, and whether that is open."""
    return [
        (label.strip(), bool(is_open)) for is_open, label in re.findall(r'group-of"( open)?><summary>([^<]*)', text)
    ]


def test_groups_of_paths(sides: tuple[Path, Path]) -> None:
    text = shown(
        sides,
        change("[seal]", layer="iso"),
        change(f"{ISO_CONTENTS}/x", layer="iso"),
        change("/boot/x", layer="iso"),
        change(f"{ISO_SQUASHFS}!/none"),
        change(f"{ISO_SQUASHFS}!/a", "a"),
        change(f"{ISO_SQUASHFS}!/new", "new"),
        change(f"{ISO_SQUASHFS}!/old", "old"),
        change(f"{ISO_INITRD}!/init", layer="initrd"),
        packages=(package("a"), package("new", "", "1"), package("old", "1", "")),
    )
    assert groups(text) == [
        ("initrd", True),
        ("rootfs, of no package", True),
        ("rootfs: a", True),
        ("rootfs: new", False),
        ("rootfs: old", False),
        ("iso", True),
        ("iso, its own lists of what is inside", False),
        ("iso, outside of files", False),
    ]
    assert "rootfs: new\n <span class=tag>a package that came</span>" in text
    assert "rootfs: old\n <span class=tag>a package that went</span>" in text
    assert "<code>/<wbr>none</code>" in text, "the squashfs's own name says nothing here"
    assert '<p class="note">Digests are SHA-256, of which the first 16 digits are shown.</p>' in text


def test_long_groups_are_folded(sides: tuple[Path, Path]) -> None:
    """40 paths of a package at most are open, and 80 in all."""
    found = [
        change(f"{ISO_SQUASHFS}!/{name}/{each}", name)
        for name, number in (("a", 40), ("b", 41), ("c", 39), ("d", 2), ("e", 1), ("f", 1))
        for each in range(number)
    ]
    text = shown(sides, *found, packages=tuple(package(name) for name in "abcdef"))
    assert groups(text) == [(f"rootfs: {name}", name in "ace") for name in "abcdef"]


@pytest.mark.parametrize(("number", "more"), [(200, ""), (201, "1 path more; "), (203, "3 paths more; ")])
def test_paths_that_are_not_listed_are_counted(sides: tuple[Path, Path], number: int, more: str) -> None:
    added = change(f"{ISO_SQUASHFS}!/p/added", "p", fields={"there": ("", "file")})
    text = shown(sides, added, *(change(f"{ISO_SQUASHFS}!/p/{each}", "p") for each in range(number - 1)))
    assert text.count("<li class=") == min(number, 200)
    assert re.findall(r"<p>(.*?)<code>--json</code> has them all.</p>", text) == ([more] if more else [])
    assert f'<span class="tag ">±{number - 1}</span><span class="tag add">+1</span></summary>' in text
    # What came is after what changed, and the first that is left out.
    assert ("/<wbr>added" in text) == (not more)


@pytest.mark.parametrize(
    ("found", "html"),
    [
        (
            change("/x", fields={"there": ("", "symlink")}),
            '<li class="add"><code>/<wbr>x</code><span class="tag">symlink</span></li>',
        ),
        (change("/x", fields={"there": ("", "file")}), '<li class="add"><code>/<wbr>x</code></li>'),
        (change("/x", fields={"there": ("file", "")}), '<li class="del"><code>/<wbr>x</code></li>'),
        (
            change("/x", fields={"content": ("1" * 64, "2" * 64), "size": ("1000", "2000"), "mtime": ("0", "61")}),
            (
                '<li class=""><code>/<wbr>x</code><dl>'
                "<dt>size</dt><dd><del>1,000</del> → <ins>2,000</ins></dd>"
                "<dt>mtime</dt><dd><del>1970-01-01 00:00:00 UTC</del> → <ins>1970-01-01 00:01:01 UTC</ins></dd>"
                "<dt>SHA-256</dt><dd><del>1111111111111111…</del> → <ins>2222222222222222…</ins></dd></dl></li>"
            ),
        ),
        (
            change("/x", fields={"content": ("short", "1" * 63), "size": ("-", "1"), "mtime": ("-1", "x")}),
            (
                '<li class=""><code>/<wbr>x</code><dl>'
                "<dt>size</dt><dd><del>-</del> → <ins>1</ins></dd><dt>mtime</dt><dd><del>-1</del> → <ins>x</ins></dd>"
                f"<dt>SHA-256</dt><dd><del>short</del> → <ins>{'1' * 63}</ins></dd></dl></li>"
            ),
        ),
        (
            change("/x", fields={"owner": ("0:0", "1:1")}, offset=0, bytes=1),
            "<dl><dt>bytes</dt><dd>other from the start; 1 byte differs</dd><dt>owner</dt>",
        ),
        (
            change("/x", fields={}, offset=1234, bytes=2),
            "<dl><dt>bytes</dt><dd>the same up to byte 1,234; 2 bytes differ</dd></dl>",
        ),
        (
            change("/x", fields={}, offset=5, bytes=0),
            "<dl><dt>bytes</dt><dd>the same up to byte 5, where one ends</dd></dl>",
        ),
    ],
)
def test_what_is_said_of_a_path(sides: tuple[Path, Path], found: Change, html: str) -> None:
    assert html in shown(sides, found)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_949, "9.9 kB"), (9_950, "10 kB"), (999_499, "999 kB"),
        (999_500, "1.0 MB"), (1_500_000, "1.5 MB"), (999_500_000, "1.0 GB"), (5_000_000_000_000, "5000 GB"),
    ],
)  # fmt: skip
def test_sizes(number: int, said: str) -> None:
    assert size(number) == said


def test_growth_and_pairs() -> None:
    assert [growth(5, 5), growth(5, 6), growth(6, 5)] == ["+0 B", "+1 B", "\N{MINUS SIGN}1 B"]
    assert [pair("", "n"), pair("o", ""), pair("<", "&")] == [
        "<ins>n</ins>",
        "<del>o</del>",
        "<del>&lt;</del> → <ins>&amp;</ins>",
    ]
    assert path(f"{ISO_SQUASHFS}/x") == f"{ISO_SQUASHFS}/x".replace("/", "/<wbr>")


# --- maps ------------------------------------------------------------------------------------------------------------


def part(name: str, size: int, *children: Part, before: int | None = None, changes: int = 0) -> Part:
    return Part(name, size, size if before is None else before, changes, 0, children)


def table(root: Part, *, compared: bool = True) -> list[str]:
    """The rows of the table of the whole, and what is between them."""
    text = "\n".join(figure(root, "p", compared=compared)).rpartition('<section class="view first" id="p0">')[2]
    return re.findall(r'<tr class="\w+">.*\n.*</tr>|<summary>.*?</summary>|<p>.*</p>', text)


@pytest.mark.parametrize(
    ("before", "now", "changes", "row"),
    [
        (5, 5, 0, ('class="same"', "<td>5 B</td>")),
        (5, 5, 1, ('class="other"', "<td>5 B <small>1 path changed</small></td>")),
        (5, 5, 2, ('class="other"', "<td>5 B <small>2 paths changed</small></td>")),
        (5, 7, 1, ('class="other"', "<td>7 B <small>+2 B</small></td>")),
        (0, 5, 1, ('class="new"', "<td>5 B <small>new</small></td>")),
        (5, 0, 1, ('class="other"', "<td>0 B <small>gone, was 5 B</small></td>")),
    ],
)
def test_what_a_row_says_of_a_part(before: int, now: int, changes: int, row: tuple[str, str]) -> None:
    root = part("image", 10, part("x", now, before=before, changes=changes), before=10)
    (found,) = table(root)
    assert all(text in found for text in row), found
    assert f'style="--share:{now * 10:.1f}%">x</td>' in found
    (alone,) = table(root, compared=False)
    assert 'class="same"' in alone
    assert "small" not in alone


@pytest.mark.parametrize(
    ("number", "folded"),
    [
        (8, []),
        (9, ["<summary>1 more, 1 B</summary>"]),
        (88, ["<summary>80 more, 80 B</summary>"]),
        (89, ["<summary>81 more, 81 B</summary>", "<p>1 smaller ones are not shown, 1 B.</p>"]),
        (1100, ["<summary>1,092 more, 1.1 kB</summary>", "<p>1,012 smaller ones are not shown, 1.0 kB.</p>"]),
    ],
)
def test_long_tables_are_folded(number: int, folded: list[str]) -> None:
    found = table(part("image", number, *(part(f"x{each}", 1) for each in range(number)), part("none", 0)))
    assert [line for line in found if not line.startswith("<tr")] == folded
    assert len(found) - len(folded) == min(number, 88)


def test_which_parts_have_views() -> None:
    """Those with something in them: at the first level all, and below those of some size."""
    inside = [part("at", 60, part("x", 60)), part("below", 59, part("x", 59)), part("leaf", 9_000)]
    root = part(
        "image", 10_000, part("a", 9_119, *inside), part("tiny", 1, part("x", 1)), part("none", 0, part("x", 0))
    )
    text = "\n".join(figure(root, "p", compared=False))
    assert re.findall(r'<section class="view(?: first)?" id="(\w+)">', text) == ["p1", "p2", "p3", "p0"]
    ways = re.findall(r'<p class="way">(.*?)<b>(\w+)</b> (.*?)</p>', text)
    assert ways == [
        ('<a href="#p0">image</a> / ', "a", "9.1 kB"),
        ('<a href="#p0">image</a> / <a href="#p1">a</a> / ', "at", "60 B"),
        ('<a href="#p0">image</a> / ', "tiny", "1 B"),
        ("", "image", "10 kB"),
    ]
    assert '<div class="map" role="group" aria-label="map of at, 60 B">' in text


def cells(text: str) -> list[tuple[str, str]]:
    """Name and place of the rectangles of the whole."""
    whole = text.rpartition('id="p0">')[2]
    return re.findall(r'class="cell [\w ]+" style="([^"]*)" title="([^"]*)"', whole)


def test_where_rectangles_are() -> None:
    root = part("image", 100, part("a", 75, before=70, changes=1), part("b", 25))
    root = replace(root, children=(replace(root.children[0], touched=15), root.children[1]))
    assert cells("\n".join(figure(root, "p", compared=True))) == [
        # Above one another in a narrow window, and side by side in a wide one; a fifth of it differs.
        ("--x:0;--y:0;--w:100;--h:360;--X:0;--Y:0;--W:75;--H:560;--t:20", "a: 75 B, +5 B"),
        ("--x:0;--y:360;--w:100;--h:120;--X:75;--Y:0;--W:25;--H:560", "b: 25 B"),
    ]


def test_small_rectangles_are_one() -> None:
    """Less than 420 square pixels of the smaller map, of 358 times 480, are too few for one; a single one stays."""
    least = -(-420 * 100_000 // (358 * 480))
    for small, names in (
        ([least, least, least], ["big", "s0", "s1", "s2"]),
        ([least, least - 1, least - 2], ["big", "2 smaller", "s0"]),
        ([least, least, least - 1], ["big", "s0", "s1", "s2"]),
    ):
        big = 100_000 - sum(small)
        children = [part(f"s{number}", size) for number, size in enumerate(small)]
        text = "\n".join(figure(part("image", 100_000, part("big", big), *children), "p", compared=False))
        assert [title.partition(":")[0] for _, title in cells(text)] == names


def test_parts_inside_parts_when_there_is_room() -> None:
    inner = part("in", 100, part("x", 60), part("y", 40))
    text = "\n".join(figure(part("image", 100, inner), "p", compared=False))
    assert re.search(
        r'<div class="cell group same" style="[^"]*" title="in: 100 B">'
        r'<a class="head" href="#p1"><b>in</b> <i>100 B</i></a>',
        text,
    )
    assert text.count('<div class="in">') == 1
    # A part without room for what is in it is one rectangle with a link.
    crowd = part("image", 2000, part("big", 1985), part("small", 15, part("x", 9), part("y", 6)))
    text = "\n".join(figure(crowd, "p", compared=False))
    assert re.search(r'<a class="cell same" style="[^"]*" title="small: 15 B" href="#p1">', text)


def item(layer: str, name: str, size: int, package: str = "") -> Item:
    return Item(layer, name, package, size, "")


def tree(of: Part) -> dict[str, object]:
    return {child.name: tree(child) or child.size for child in of.children}


def test_what_is_where() -> None:
    items = [
        item("rootfs", f"{ISO_SQUASHFS}!/usr/bin/x", 5, "p"),
        item("rootfs", f"{ISO_SQUASHFS}!/top", 4),
        item("kernel", "/boot/vmlinuz", 3),
        item("iso", "/live/a", 2),
        item("initrd", f"{ISO_INITRD}!/init", 1),
        item("out", "config", 9),
    ]
    found = Comparison(changes=(change(f"{ISO_SQUASHFS}!/top"),), packages=(), lock=SAME)
    whole = by_package(found, items[:1], items)
    assert tree(whole) == {
        "rootfs": {"p": {"/usr/bin": {"x": 5}}, "no package": {"/": {"top": 4}}},
        "kernel": 3,
        "iso": {"live": {"a": 2}},
        "initrd": {"init": 1},
    }
    assert (whole.size, whole.before, whole.changes) == (15, 5, 1)
    assert tree(by_directory(found, None, items)) == {"usr": {"bin": {"x": 5}}, "top": 4}


def test_rectangles_are_close_to_squares() -> None:
    """The example of the paper by Bruls, Huizing and van Wijk."""
    found = [
        (round(box.x, 2), round(box.y, 2), round(box.width, 2), round(box.height, 2))
        for box in squarify([6, 6, 4, 3, 2, 2, 1], 6, 4)
    ]
    assert found == [
        (0, 0, 3, 2), (0, 2, 3, 2), (3, 0, 1.71, 2.33), (4.71, 0, 1.29, 2.33),
        (3, 2.33, 1.2, 1.67), (4.2, 2.33, 1.2, 1.67), (5.4, 2.33, 0.6, 1.67),
    ]  # fmt: skip
    assert list(squarify([], 6, 4)) == []
    assert list(squarify([2, 2], 2, 2)) == [Box(0, 0, 2, 1), Box(0, 1, 2, 1)]
