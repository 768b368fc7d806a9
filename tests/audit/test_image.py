"""What is read of an image has limits, and says so; the first byte beyond one is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from assembler.architecture import AMD64
from assembler.audit import image as reading
from assembler.audit import listing, withheld
from assembler.audit.image import Image, ImageError, OpenTree, is_iso
from assembler.audit.packages import LARGEST_STATUS, installed, owners
from assembler.audit.rebuild import LARGEST_RECIPE, take_out
from assembler.errors import AssembleError
from assembler.formats import cpio
from assembler.formats.iso import write_iso
from assembler.hostfile import HostFileError
from assembler.image import contents
from assembler.image.names import ISO_INDEX, ISO_INITRD, lock_path
from assembler.tree import content
from assembler.tree.content import Content, Slice
from assembler.tree.staging import Tree
from tests.audit.conftest import Make, system
from tests.audit.test_hostile import BASE, NOTHING, Iso, iso, of_tree

__all__ = ["iso"]


def initrd(**files: bytes) -> bytes:
    tree = Tree()
    for name, data in files.items():
        tree.write(f"/{name}", data)
    return b"".join(cpio.write(tree))


def opened(image: Path) -> list[str]:
    """The names in the initramfs of an image."""
    with Image(image).tree(ISO_INITRD) as found:
        return found.tree.names("/")


def why(caught: pytest.ExceptionInfo[AssembleError]) -> str:
    return caught.value.why


def test_what_is_an_iso(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data, found in (
        (b"", False),
        (bytes(32768) + b"\1CD001", True),
        (bytes(32768) + b"\xffCD001\1", True),
        (bytes(32768) + b"CD001", False),
        (bytes(32767) + b"\1CD001", False),
    ):
        path.write_bytes(data)
        assert is_iso(path) == found, data[-8:]
    with pytest.raises(HostFileError):
        is_iso(tmp_path)


def test_files_of_an_image(iso: Iso) -> None:
    image = Image(iso({"/a": b"12345"}, BASE))
    assert image.size == image.path.stat().st_size
    assert image.read("/a", 5) == b"12345"
    with pytest.raises(ImageError) as caught:
        image.read("/a", 4)
    assert str(caught.value) == (
        f"{image.path} /a: a file on the image is larger than what is read: 5 bytes, more than 4"
    )
    with pytest.raises(ImageError, match="/b: the image has no such file"):
        image.file("/b")
    write_iso(image.path, {"/a": b""}, label="X", epoch=0)
    with pytest.raises(ImageError, match="the image does not list its contents") as caught:
        assert Image(image.path).index
    assert caught.value.where.path == ISO_INDEX


def test_trees_are_in_files_that_have_some(iso: Iso) -> None:
    tree = {"listing": "/l", "sha256": NOTHING}
    image = Image(iso({}, {**BASE, "trees": {ISO_INITRD: tree, "/z": tree, "/b": tree}}))
    with pytest.raises(ImageError, match="lists a tree in a file that has none") as caught:
        assert image.trees
    assert caught.value.where.path == "/b"
    image = Image(iso({}, {**BASE, "trees": {ISO_INITRD: tree}}))
    assert image.trees == {ISO_INITRD: tree}
    assert image.lock_path == "/live/x.lock.toml"


@pytest.mark.parametrize(
    ("path", "limit"), [(ISO_INITRD, 512 << 20), (lock_path("x"), 16 << 20), (ISO_INDEX, 16 << 20)]
)
def test_files_that_are_too_large(iso: Iso, path: str, limit: int) -> None:
    """As the file system says that they are, before a byte of them is read."""
    image = Image(iso({}, BASE))
    where = image.file(ISO_INDEX)
    if path != ISO_INDEX:
        assert image.index["name"] == "x"
    vars(image)["files"] = {path: Slice(where.file, where.offset, limit + 1)}
    with pytest.raises(ImageError, match="larger than what is read") as caught:  # noqa: PT012  one of three
        if path == ISO_INITRD:
            with image.tree(path):
                pass
        assert image.lock if path != ISO_INDEX else image.index
    assert why(caught) == f"{limit + 1} bytes, more than {limit}"


def test_an_initramfs_that_expands(iso: Iso, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have 64 bytes for each of its file and 16 MiB more, and never more than half a gigabyte."""
    archive, room = initrd(a=b"x"), 16 << 20
    size, found = 0, -1
    while size != found:  # what is allowed depends on what it is compressed to
        size = found
        packed = zstandard.compress(archive.ljust(max(size, 0), b"\0"))
        found = 64 * len(packed) + room
    for length, limit in ((size, 512 << 20), (size + 1, 512 << 20), (size, size - 1)):
        monkeypatch.setattr(reading, "LARGEST_INITRD", limit)
        packed = zstandard.compress(archive.ljust(length, b"\0"))
        allowed = min(64 * len(packed) + room, limit)
        image = iso(*of_tree(ISO_INITRD, packed))
        if length <= allowed:
            assert opened(image) == ["a"]
            continue
        with pytest.raises(ImageError, match="the initramfs cannot be read") as caught:
            opened(image)
        assert why(caught) == f"it has {length} bytes, which is more than {length - 1}"


def test_an_initramfs_of_many_files_or_long_paths(iso: Iso, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree()
    for path in ("/ab/cde", "/ab/f"):
        tree.write(path, b"x", parents=True)
    image = iso(*of_tree(ISO_INITRD, zstandard.compress(b"".join(cpio.write(tree)))))
    # The top, a directory, two files, and the end of the archive.
    for name, most, said in (
        ("PATHS", 5, "it has more than {} files"),
        ("PATH_TEXT", 3 + 7 + 5, "its paths have more than {} characters"),
    ):
        monkeypatch.setattr(reading, name, most)
        assert opened(image) == ["ab"]
        monkeypatch.setattr(reading, name, most - 1)
        with pytest.raises(ImageError) as caught:
            opened(image)
        assert why(caught) == said.format(most - 1)
        monkeypatch.undo()


def early(*paths: str) -> bytes:
    tree = Tree()
    for path in paths:
        tree.write(path, b"data", parents=True)
    return b"".join(cpio.write(tree, aligned=16))


INTEL, AMD = (each.path for each in AMD64.microcode)


def test_microcode_in_front_of_an_initramfs_is_a_part_of_its_tree(iso: Iso) -> None:
    packed = zstandard.compress(initrd(init=b"x"))
    for paths in ((INTEL, AMD), (AMD,)):
        with Image(iso(*of_tree(ISO_INITRD, early(*paths) + packed))).tree(ISO_INITRD) as found:
            assert {path for path, _ in found.tree.walk() if found.tree.is_file(path)} == {"/init", *paths}
            assert found.tree.read(AMD) == b"data"
    with Image(iso(*of_tree(ISO_INITRD, early() + packed))).tree(ISO_INITRD) as found:
        assert found.tree.names("/") == ["init"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (early(INTEL, "/init") + zstandard.compress(initrd()), "something else than microcode"),
        (early("/kernel/x86/microcode/other.bin") + zstandard.compress(initrd()), "something else than microcode"),
        (early(f"{INTEL}/x") + zstandard.compress(initrd()), "something else than microcode"),
        (early(INTEL) + zstandard.compress(initrd(kernel=b"x")), "/kernel is in both of its archives"),
        (early(INTEL) + early(AMD) + zstandard.compress(initrd()), "the initramfs cannot be read"),
        (early(INTEL), "the initramfs cannot be read"),
        (early(INTEL)[:300], "ends too early"),
    ],
    ids=range(7),
)
def test_what_else_is_in_front_of_it_is_refused(iso: Iso, data: bytes, said: str) -> None:
    with pytest.raises(AssembleError) as caught:
        opened(iso(*of_tree(ISO_INITRD, data)))
    assert said in str(caught.value)


def test_not_too_much_is_in_front_of_it(iso: Iso, monkeypatch: pytest.MonkeyPatch) -> None:
    image = iso(*of_tree(ISO_INITRD, early(INTEL) + zstandard.compress(initrd())))
    assert opened(image) == ["kernel"]
    # The top, three directories, a file, and the end of the archive.
    monkeypatch.setattr(reading, "PATHS", 5)
    with pytest.raises(ImageError) as caught:
        opened(image)
    assert why(caught) == "it has more than 5 files"


def test_a_listing_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    found = OpenTree(system(), content.chunks)
    text = found.listing()
    monkeypatch.setattr(contents, "LISTING", len(text))
    assert found.listing() == text
    monkeypatch.setattr(contents, "LISTING", len(text) - 1)
    with pytest.raises(ImageError, match="a tree is larger than what is read") as caught:
        found.listing()
    assert why(caught) == f"its listing has {len(text) - 1} bytes"


LINE = "f 0644 0:0 1 2 abc - /a\n"


def test_lines_of_a_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LINES", 2)
    assert list(listing.lines(LINE + LINE.replace("/a", "/b"))) == ["/a", "/b"]
    with pytest.raises(listing.ListingError) as caught:
        listing.lines(LINE * 3)
    assert why(caught) == "it has more than 2 lines"
    assert listing.lines("") == {}
    for text in ("\n", LINE.replace(" /a", " a"), LINE.replace(" -", ""), "x"):
        with pytest.raises(listing.ListingError, match="not a line of a listing"):
            listing.parse(text)
    (entry,) = listing.parse(LINE.replace("/a", "/a b -> /c -> d")).values()
    assert (entry.path, entry.target) == ("/a b", "/c -> d")
    assert (entry.kind, entry.mode, entry.owner, entry.mtime, entry.size, entry.content, entry.xattrs) == (
        "f", "0644", "0:0", "1", "2", "abc", "-",
    )  # fmt: skip


def test_what_differs_between_listings() -> None:
    old = listing.lines("".join(LINE.replace("/a", path) for path in ("/gone", "/same", "/kind")))
    new = listing.lines(
        "".join(LINE.replace("/a", path) for path in ("/came", "/same")) + "l 0777 0:0 1 - - - /kind -> x\n"
    )
    assert [(each.path, dict(each.fields)) for each in listing.differences(old, new)] == [
        ("/came", {"there": ("", "f")}),
        ("/gone", {"there": ("f", "")}),
        (
            "/kind",
            {
                "kind": ("f", "l"), "mode": ("0644", "0777"), "size": ("2", "-"), "content": ("abc", "-"),
                "target": ("", "x"),
            },
        ),
    ]  # fmt: skip


def test_long_fields_are_shortened() -> None:
    assert listing.LONGEST == 1000
    assert listing.shortened("x" * 1000) == "x" * 1000
    assert listing.shortened("x" * 1001) == f"{'x' * 1000}... (1001 characters)"


# --- dpkg's database


def database(**files: bytes) -> Tree:
    tree = system()
    for name, data in files.items():
        tree.write(f"/var/lib/dpkg/info/{name}", data)
    return tree


def test_whose_a_path_is() -> None:
    """Lists have the name of a package, with its architecture or without; what they name goes through links."""
    tree = database()
    tree.write("/usr/bin/x", b"", parents=True)
    for name, data in {
        "b:amd64.list": b"/bin/x\n/bin\n",
        "a.list": b"/usr\n/etc/passwd/none\n/usr/bin/ping\n",
        "c.md5sums": b"/usr/bin/su\n",
        "d:e:f.list": b"/usr/bin/su\n",
        ".list": b"/usr/bin/su\n",
    }.items():
        tree.write(f"/var/lib/dpkg/info/{name}", data)
    found = owners(OpenTree(tree, content.chunks))
    assert found["/usr/bin/x"] == "b"
    assert found["/usr"] == "a"
    assert found["/usr/bin/ping"] == "a", "what is behind a path that leads nowhere counts"
    assert "/usr/bin/su" not in found


@pytest.mark.parametrize(
    ("stanza", "found"),
    [
        (f"Package: {'a' * 255}\nVersion: 1\nArchitecture: all\n", 1),
        (f"Package: {'a' * 256}\nVersion: 1\nArchitecture: all\n", 0),
        (f"Package: a\nVersion: {'1' * 256}\nArchitecture: all\n", 0),
        ("Package: a\nVersion: 1\n", 0),
        ("Package: a\nVersion: 1\nArchitecture:\n", 0),
        ("Package: a\nVersion: 1\nArchitecture: all\n\nPackage: b\nVersion: 2\nArchitecture: all\n", 2),
        ("no stanza", 0),
    ],
)
def test_what_dpkg_knows_of(stanza: str, found: int) -> None:
    tree = system()
    tree.write("/var/lib/dpkg/status", stanza.encode())
    assert len(installed(OpenTree(tree, content.chunks))) == found


def test_a_status_file_that_is_too_large() -> None:
    assert LARGEST_STATUS == 16 << 20

    def chunks(_: Content) -> Iterator[bytes]:
        yield b"Package: a\nVersion: 1\nArchitecture: all\n"

    for size, found in ((16 << 20, {("a", "all"): "1"}), ((16 << 20) + 1, {})):
        tree = Tree()
        tree.mkdir("/var/lib/dpkg", parents=True)
        tree.write("/var/lib/dpkg/status", Slice("none", 0, size))
        assert installed(OpenTree(tree, chunks)) == found


# --- a recipe


@pytest.mark.parametrize(("size", "taken"), [(4 << 20, True), ((4 << 20) + 1, False)])
def test_the_largest_recipe(iso: Iso, tmp_path: Path, size: int, taken: bool) -> None:  # noqa: FBT001  as above
    assert LARGEST_RECIPE == 4 << 20
    data = b"name = 'x'\n".ljust(size, b"#")
    image = Image(iso({"/live/recipe/recipe.toml": data, lock_path("x"): b""}, BASE))
    directory = tmp_path / "taken"
    directory.mkdir()
    if taken:
        assert take_out(image, directory).read_bytes() == data
        return
    with pytest.raises(ImageError, match=f"{size} bytes, more than {4 << 20}"):
        take_out(image, directory)


def test_private_files_that_are_too_large(make: Make) -> None:
    image = Image(make("x", system()))
    tree = Tree()
    tree.write("/etc/shadow", b"root:x:1\n", parents=True)
    found = OpenTree(tree, content.chunks)
    assert withheld._content(image, found, "/etc/shadow", 9) == b"root:x:1\n"
    with pytest.raises(ImageError, match="a private file of the image's recipe is too large") as caught:
        withheld._content(image, found, "/etc/shadow", 8)
    assert why(caught) == "more than 8 bytes"

    def chunks(_: Content) -> Iterator[bytes]:
        yield b"toor:a:1\nroot:b:1\nroot:c:1\n"

    with pytest.raises(ImageError, match="the image has no such user of its recipe"):
        withheld._password(image, found, "app")

    for size, fits in ((1 << 20, True), ((1 << 20) + 1, False)):
        tree.write("/etc/shadow", Slice("none", 0, size))
        if fits:
            assert withheld._password(image, OpenTree(tree, chunks), "root") == "b"
        else:
            with pytest.raises(ImageError, match="is too large"):
                withheld._password(image, OpenTree(tree, chunks), "root")
