"""The page about a comparison, in a real browser: on a phone, on a desk, in the dark, on paper, and without scripts."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.audit.compare import Change, Comparison, PackageChange, compare
from assembler.audit.image import Image
from assembler.audit.report import SHOWN, page
from assembler.cli.main import call
from assembler.image.names import ISO_SQUASHFS
from assembler.lock.changes import changes
from assembler.tree.staging import Tree
from tests.audit.conftest import Make, flip, system
from tests.lockfile.test_toml import LOCK
from tests.support.browser import Browser, Tab, running

PHONE, DESK = 390, 1280
EVIL = (
    "<script>document.title='run'</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe",
    "two\nlines",
    "byte\udcff",
)
LONG = "a_name_that_is_longer_than_the_screen_of_a_telephone_and_has_no_place_to_break_it" * 2
TAGS = (
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "section", "span", "small"),
    *("a", "b", "i", "code", "del", "ins", "wbr", "ul", "li", "dl", "dt", "dd", "details", "summary"),
    *("table", "tbody", "tr", "th", "td"),
)
ATTRIBUTES = (
    *("aria-label", "charset", "class", "content", "href", "http-equiv", "id", "lang", "name", "open", "role", "style"),
    "title",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(tmp_path_factory.mktemp("browser") / "chromium") as it:
        yield it


def node(*, later: bool = False) -> Tree:
    """A system of many packages and directories, some of them small; `later`, some of it is otherwise."""
    tree = system()
    for number in range(40):
        directory, package = f"/usr/lib/{'abcdefg'[number % 7]}/part-{number}", f"lib{'x' * (number % 20)}{number}"
        paths = [f"{directory}/file-{each}" for each in range(1 + number % 9)]
        for path in paths:
            tree.write(path, bytes(1 + 300_000 // (1 + number)), parents=True)
        tree.write(f"/var/lib/dpkg/info/{package}.list", "".join(f"{path}\n" for path in paths).encode(), parents=True)
    if later:
        tree.write("/usr/lib/a/part-0/file-0", bytes(200_000))
        tree.write("/usr/lib/b/part-1/added", bytes(100_000))
        tree.remove("/usr/lib/g/part-6/file-1")
        tree.write("/usr/bin/door", b"#!", 0o4755)
        tree.write("/etc/passwd", b"root:x:0:0::/root:/bin/bash\n")
        tree.write(f"/opt/{LONG}", b"long", parents=True)
        for name in EVIL:
            tree.write(f"/opt/{name.replace('/', '|')}", b"&", parents=True)
    return tree


@pytest.fixture
def address(make: Make, tmp_path: Path) -> str:
    """Of a page, written as people have it written."""
    html = tmp_path / "page.html"
    hello, libc = LOCK.packages
    lock = replace(LOCK, packages=(replace(hello, version="2.10-6"), libc))
    assert (
        call(["diff", str(make("one", node())), str(make("two", node(later=True), lock=lock)), "--html", str(html)])
        == 1
    )
    return html.as_uri()


def is_quiet(tab: Tab, address: str) -> None:
    """Nothing was fetched, and the browser had nothing to complain about."""
    asked = [event["request"]["url"].partition("#")[0] for event in tab.said("Network.requestWillBeSent")]
    assert set(asked) == {address, "about:blank"} - ({"about:blank"} - set(asked))
    assert not tab.said("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded")


LAID_OUT = """(() => {
    const wide = document.documentElement.clientWidth, wrong = [];
    const shown = element => element.checkVisibility() && element.getClientRects().length;
    const name = element => element.outerHTML.slice(0, 150);
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(part => {
            const x = part / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (; element; element = element.parentElement) {
            const style = getComputedStyle(element);
            const found = style.backgroundImage.match(/rgb\\([^)]*\\)/g) || [];
            const colour = style.backgroundColor;
            if (found.length || !colour.startsWith("rgba")) return found.length ? found : [colour];
        }
    };
    let letters = 0;
    for (const element of document.body.querySelectorAll("*")) {
        if (!shown(element)) continue;
        const box = element.getBoundingClientRect(), style = getComputedStyle(element);
        if (box.right > wide + 0.5 || box.left < -0.5) wrong.push(["beside the screen", name(element)]);
        const text = [...element.childNodes].filter(child => child.nodeType == 3).map(child => child.data).join("");
        if (!text.trim()) continue;
        letters += text.length;
        if (parseFloat(style.fontSize) < 12.5) wrong.push(["small letters", style.fontSize, name(element)]);
        for (const colour of behind(element)) {
            const [one, two] = [light(style.color), light(colour)].sort((a, b) => b - a);
            if ((one + 0.05) / (two + 0.05) < 4.5) wrong.push(["pale letters", style.color, colour, name(element)]);
        }
    }
    if (document.documentElement.scrollWidth > wide) wrong.push("wider than the screen");
    return [letters > 500, wrong.slice(0, 5)];
})()"""

MAPS = """(() => {
    const wrong = [], near = 1, name = element => element.outerHTML.slice(0, 150);
    let cells = 0, labels = 0;
    for (const cell of document.querySelectorAll(".cell")) {
        if (!cell.checkVisibility()) continue;
        cells += 1;
        const box = cell.getBoundingClientRect(), parent = cell.parentElement.getBoundingClientRect();
        if (box.left < parent.left - near || box.right > parent.right + near
            || box.top < parent.top - near || box.bottom > parent.bottom + near) wrong.push(["outside", name(cell)]);
        for (const other of cell.parentElement.children) {
            const two = other.getBoundingClientRect();
            if (other !== cell && Math.min(box.right, two.right) - Math.max(box.left, two.left) > near
                && Math.min(box.bottom, two.bottom) - Math.max(box.top, two.top) > near)
                wrong.push(["over another", name(cell), name(other)]);
        }
        for (const label of cell.querySelectorAll(":scope > b, :scope > i, :scope > .head")) {
            const it = label.getBoundingClientRect();
            if (!it.width) continue;
            labels += 1;
            if (it.left < box.left - near || it.right > box.right + near
                || it.top < box.top - near || it.bottom > box.bottom + near) wrong.push(["cut off", name(cell)]);
            if (it.height < 14 || it.width < 40) wrong.push(["no room to read", name(cell)]);
        }
    }
    return [cells, labels, wrong.slice(0, 5)];
})()"""


@pytest.mark.parametrize(("width", "dark"), [(320, False), (PHONE, False), (PHONE, True), (DESK, False), (DESK, True)])
def test_everything_fits_and_can_be_read(browser: Browser, address: str, width: int, *, dark: bool) -> None:
    tab = Tab(browser, address, width=width, scripts=False, dark=dark)
    assert tab.evaluate("document.documentElement.clientWidth") == width
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(LAID_OUT) == [True, []]
    # With all that can be opened opened.
    for summary in range(tab.evaluate("document.querySelectorAll('summary').length")):
        tab.evaluate(f"document.querySelectorAll('details')[{summary}].open = true")
    assert tab.evaluate(LAID_OUT) == [True, []]
    is_quiet(tab, address)


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_maps_in_every_view(browser: Browser, address: str, width: int) -> None:
    tab = Tab(browser, address, width=width, scripts=False)
    views = tab.evaluate("[...document.querySelectorAll('.view')].map(view => view.id)")
    assert {"p0", "f0"} < set(views)
    for view in views:
        tab.go(f"{address}#{view}")
        shown = tab.evaluate("[...document.querySelectorAll('.view')].filter(e => e.checkVisibility()).map(e => e.id)")
        # The one that is asked for, and the first of the other map.
        assert shown == sorted({view, "f0" if view.startswith("p") else "p0"}, reverse=True)
        cells, labels, wrong = tab.evaluate(MAPS)
        assert (wrong, cells > 5, labels > 3) == ([], True, True)
    is_quiet(tab, address)


def test_looking_inside_without_scripts(browser: Browser, address: str) -> None:
    tab = Tab(browser, address, width=PHONE, scripts=False)
    way = "[...document.querySelectorAll('.view')].find(view => view.checkVisibility()).querySelector('.way').innerText"
    assert tab.evaluate(way).startswith("image ")
    tab.click("#p0 .head[href]")
    assert tab.evaluate(way).startswith("image / rootfs ")
    assert 0 <= tab.evaluate("document.querySelector(':target').getBoundingClientRect().top") < 100, "scrolled to"
    tab.click(":target .sizes a")
    assert re.match(r"image / rootfs / lib\w+ ", tab.evaluate(way))
    tab.click(":target .way a")
    assert tab.evaluate(way).startswith("image ")
    # And what is folded.
    text = "document.body.innerText.includes('/live/contents/contents.json')"
    assert not tab.evaluate(text)
    tab.evaluate("[...document.querySelectorAll('summary')].find(e => e.innerText.includes('lists')).id = 'lists'")
    tab.click("#lists")
    assert tab.evaluate(text)


def test_what_changed_is_told(browser: Browser, address: str) -> None:
    tab = Tab(browser, address, width=PHONE, scripts=False)
    seen = tab.evaluate("document.body.innerText")
    for text in (
        "They differ: ",
        "/usr/lib/a/part-0/file-0",
        "/usr/lib/g/part-6/file-1",
        "/etc/passwd",
        "the same up to byte 23; 3 bytes differ",
        LONG,
        "new with set-user-ID",
        "another content, while libc6 is the same version",
    ):
        assert text in seen, text
    assert re.search(r"\b300,001\b.*\b200,000\b", seen), "sizes"
    assert tab.evaluate("document.querySelectorAll('.cell.new').length")
    assert tab.evaluate("document.querySelectorAll('.cell.other').length")


def test_names_are_only_text(browser: Browser, address: str) -> None:
    tab = Tab(browser, address, width=PHONE, scripts=True)
    assert tab.evaluate("document.title") == "one.iso and two.iso"
    assert set(tab.evaluate("[...document.querySelectorAll('*')].map(e => e.localName)")) <= set(TAGS)
    attributes = "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name))"
    assert set(tab.evaluate(attributes)) <= set(ATTRIBUTES)
    assert tab.evaluate("[...document.links].every(a => document.getElementById(a.getAttribute('href').slice(1)))")
    seen = tab.evaluate("document.body.innerText")
    for text in ("<script>document.title='run'<|script>", EVIL[1], r"\u202egnp.exe", r"two\nlines", r"byte\xff"):
        assert f"/opt/{text}" in seen, text
    is_quiet(tab, address)


def test_on_paper(browser: Browser, address: str) -> None:
    tab = Tab(browser, address, width=794, scripts=False)
    tab.call("Emulation.setEmulatedMedia", media="print")
    # Nobody can open anything there.
    folded = "[...document.querySelectorAll('details:not([open]) li')]"
    assert tab.evaluate(f"{folded}.length")
    assert tab.evaluate(f"{folded}.every(e => e.checkVisibility() && e.getBoundingClientRect().height > 10)")
    assert tab.call("Page.printToPDF")["data"].startswith("JVBERi0"), "a PDF, in Base64"


def test_the_same_images(browser: Browser, make: Make, tmp_path: Path) -> None:
    one, two = make("one", node()), make("two", node())
    html = tmp_path / "same.html"
    html.write_text(page(compare(one, two), one, two), "utf-8")
    tab = Tab(browser, html.as_uri(), width=PHONE, scripts=False)
    seen = tab.evaluate("document.body.innerText")
    assert "They are the same, byte for byte." in seen
    assert "±" not in seen
    assert not tab.evaluate("document.querySelectorAll('.other, .new, .flags').length")
    assert tab.evaluate(LAID_OUT) == [True, []]


def test_output_directories(browser: Browser, make: Make, tmp_path: Path) -> None:
    directories, html = [tmp_path / "a", tmp_path / "b"], tmp_path / "page.html"
    for directory, later in zip(directories, (False, True), strict=True):
        directory.mkdir()
        make(directory.name, node(later=later)).rename(directory / "node.iso")
        (directory / "config").write_text(f"{later}\n")
    assert call(["diff", *map(str, directories), "--html", str(html)]) == 1
    tab = Tab(browser, html.as_uri(), width=PHONE, scripts=False)
    seen = tab.evaluate("document.body.innerText")
    assert "\n/usr/lib/a/part-0/file-0\n" in seen, "as if there were nothing but the ISO"
    assert "beside the ISO" in seen
    assert "\nconfig\n" in seen
    layers = tab.evaluate("[...document.querySelectorAll('#p0 > .sizes td:first-child')].map(e => e.innerText)")
    assert layers == ["rootfs", "iso", "kernel", "initrd"]


def test_very_many_changes(browser: Browser, tmp_path: Path) -> None:
    packages = [PackageChange(name=f"p{number}", architecture="amd64", old="1", new="2") for number in range(300)]
    content = ("0" * 64, "1" * 64)
    many = [
        Change(
            layer="rootfs",
            path=f"{ISO_SQUASHFS}!/usr/share/{package.name}/{number}",
            package=package.name,
            fields={"content": content, "mtime": ("0", "1700000000"), "mode": ("0755", "0644")},
            offset=number,
            bytes=number,
        )
        for package in packages
        for number in range(100)
    ]
    found = Comparison(changes=tuple(many), packages=tuple(packages), lock=changes(LOCK, LOCK))
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        file.write_bytes(file.name.encode())
    text = page(found, *files)
    assert len(text) < 2_000_000
    html = tmp_path / "many.html"
    html.write_text(text, "utf-8")
    tab = Tab(browser, html.as_uri(), width=PHONE, scripts=False)
    assert tab.evaluate("document.querySelectorAll('.paths li').length") == SHOWN
    seen = tab.evaluate("document.body.innerText")
    assert "300 packages changed, 30,000 paths that differ" in seen
    assert "rootfs: p299" in seen, "every package is named"
    assert tab.evaluate("document.body.textContent").count("100 paths more") == 300 - SHOWN // 100
    assert tab.evaluate(LAID_OUT) == [True, []]


def test_an_image_that_cannot_be_looked_into(make: Make, tmp_path: Path) -> None:
    one, html = make("one", node()), tmp_path / "page.html"
    bad = flip(one, Image(one).files[ISO_SQUASHFS].offset + 2, tmp_path / "bad.iso")
    assert call(["diff", str(one), str(bad), "--html", str(html)]) == 1
    text = html.read_text("utf-8")
    assert ISO_SQUASHFS.replace("/", "/<wbr>") in text
    assert "There are no maps of the images" in text
