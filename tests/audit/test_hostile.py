"""What a stranger puts on an image: verify, diff, sbom and rebuild end soon, in little memory, with an explanation."""

import hashlib
import json
import os
import resource
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from assembler.audit import listing, packages
from assembler.audit import verify as verifying
from assembler.audit.compare import compare
from assembler.audit.image import Image, ImageError, OpenTree
from assembler.audit.packages import installed, owners
from assembler.audit.rebuild import take_out
from assembler.audit.verify import FINDINGS, verify
from assembler.cli.main import call
from assembler.debian import deb822
from assembler.debian.dpkg_database import ADMINDIR
from assembler.formats import cpio, seal
from assembler.formats.iso import write_iso
from assembler.formats.iso_reader import BLOCK, IsoReadError
from assembler.formats.seal import Area
from assembler.image.names import CYCLONEDX, ISO_CONTENTS, ISO_INDEX, ISO_INITRD, ISO_SQUASHFS
from assembler.lockfile.model import LockedBuild, LockedOutput
from assembler.lockfile.toml import format_lock, write_lock
from assembler.store.objects import sha256_of
from assembler.tree import content
from assembler.tree.digest import escaped
from assembler.tree.staging import Tree
from tests.audit.conftest import Make, system
from tests.formats.squashes import Squash, file
from tests.formats.test_zstd import zeros
from tests.lockfile.test_toml import LOCK

BASE: Mapping[str, Any] = {"schema": 1, "name": "x", "files": {}, "trees": {}}
NOTHING = "0" * 64
ESCAPES = "\x1b]0;owned\x07\x1b[31m\n::error::owned"
Iso = Callable[..., Path]


def initrd() -> bytes:
    tree = Tree()
    tree.write("/init", b"x", 0o755)
    return b"".join(cpio.write(tree))


def described(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.fixture
def iso(tmp_path: Path) -> Iso:
    """Makes an ISO with a good seal over whatever `files` and list of contents (text, or a mapping) there are."""

    def make(files: Mapping[str, bytes], index: Mapping[str, Any] | bytes) -> Path:
        data = index if isinstance(index, bytes) else json.dumps(index).encode()
        out = tmp_path / "x.iso"
        write_iso(out, {**files, ISO_INDEX: data}, label="X", epoch=0)
        return out

    return make


def of_tree(path: str, packed: bytes, text: bytes | None = None) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files and list of contents of an image with `packed` as the tree at `path`; `text` is its listing's file."""
    listed = zstandard.compress(b"") if text is None else text
    trees = {path: {"listing": "/l.zst", "sha256": NOTHING}}
    files = {path: packed, "/l.zst": listed}
    return files, {**BASE, "trees": trees, "files": {name: described(data) for name, data in files.items()}}


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"[]",
        b"null",
        b'{"schema":1,"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"schema":1,"x":' + b"1" * 10_000 + b"}",
        b"\xff\xfe",
        {"schema": 1, "files": {}, "trees": {}},
        {**BASE, "name": 7},
        {**BASE, "name": "../../etc/passwd"},
        {**BASE, "name": "x" + ESCAPES},
        {**BASE, "schema": 2},
        {**BASE, "files": []},
        {**BASE, "files": {"/a": "x"}},
        {**BASE, "files": {"/a": {}}},
        {**BASE, "files": {"/a": {"size": "1", "sha256": NOTHING}}},
        {**BASE, "files": {"/a": {"size": 1, "sha256": ["0"]}}},
        {**BASE, "files": {"/" + "x" * 5000: {"size": 1, "sha256": NOTHING}}},
        {**BASE, "trees": {ISO_INITRD: {}}},
        {**BASE, "trees": {ISO_INITRD: "x"}},
        {**BASE, "trees": {ISO_INITRD: {"listing": 1, "sha256": NOTHING}}},
        {**BASE, "trees": {ISO_INITRD: {"listing": "/a", "sha256": ""}}},
        {**BASE, "trees": {ISO_INITRD: {"listing": "/a", "sha256": NOTHING}}},
        {**BASE, "trees": {"/a": {"listing": "/a", "sha256": NOTHING}}},
        {**BASE, "trees": {ISO_SQUASHFS: {"listing": "/a", "sha256": NOTHING}}},
    ],
)
def test_a_list_of_contents_that_lies(iso: Iso, index: bytes | dict[str, Any]) -> None:
    image = iso({"/a": b"x"}, index)
    assert verify(image).findings
    assert call(["verify", str(image)]) == 1
    assert call(["sbom", str(image)]) == 1
    assert call(["rebuild", str(image), "--offline", "--out", str(image.parent / "out")]) == 1


@pytest.mark.parametrize(
    ("path", "packed", "text", "why"),
    [
        (ISO_INITRD, zstandard.compress(initrd()), zeros(6 << 30, 6 << 30), "more than"),
        (ISO_INITRD, zstandard.compress(initrd()), zeros(1 << 30, 100), "listing of a tree is damaged"),
        (ISO_INITRD, zstandard.compress(initrd()), zstandard.compress(b"not a listing\n"), "not a line of a listing"),
        (ISO_INITRD, zstandard.compress(initrd()), zstandard.compress(b"\xff"), "ascii"),
        (ISO_INITRD, zstandard.compress(initrd()), zstandard.compress(b"a a a a a a a /x\n" * 600_000), "more than"),
        (ISO_INITRD, zstandard.compress(initrd()), b"none", "damaged"),
        (ISO_INITRD, zeros(6 << 30, 6 << 30), None, "initramfs cannot be read"),
        (ISO_INITRD, zeros(1 << 30, 100), None, "initramfs cannot be read"),
        (ISO_INITRD, zeros(128 << 20, 128 << 20), None, "more than"),
        (ISO_INITRD, zstandard.compress(initrd()) + zstandard.compress(initrd()), None, "initramfs cannot be read"),
        (ISO_INITRD, zstandard.compress(initrd() + initrd()), None, "something follows its archive"),
        (ISO_INITRD, zstandard.compress(b"070701" * 600_000), None, "files"),
        (ISO_SQUASHFS, b"hsqs", None, "squashfs is damaged"),
    ],
    ids=range(13),
)
def test_trees_that_are_none(iso: Iso, path: str, packed: bytes, text: bytes | None, why: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    findings = verify(iso(*of_tree(path, packed, text))).findings
    assert why in findings[-1].what
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10, "KiB"


def test_long_paths_behind_links_in_an_initramfs(iso: Iso) -> None:
    """No name in the archive is long, and each of its many files lies very deep."""

    def member(name: str, mode: int, data: bytes = b"") -> bytes:
        raw = name.encode() + b"\0"
        numbers = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % number for number in numbers) + raw
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    archive, here = b"", ""
    for link in ("l", "m", "n", "o"):
        for depth in range(1, 15):
            archive += member(here + "/".join(["d" * 250] * depth), 0o040755)
        archive += member(link, 0o120777, (here + "/".join(["d" * 250] * 14)).encode())
        here = f"{link}/"
    archive += b"".join(member(f"o/{number}", 0o100644) for number in range(6000)) + member("TRAILER!!!", 0)
    found = verify(iso(*of_tree(ISO_INITRD, zstandard.compress(archive)))).findings[-1]
    assert "its paths have more than" in found.what


def test_a_terabyte_of_nothing_in_a_squashfs(iso: Iso, tmp_path: Path) -> None:
    squash = Squash(block=1 << 20)
    squash.add(b"big", file(2, 1 << 40, [0] * 8192))
    image = iso(*of_tree(ISO_SQUASHFS, squash.build()))
    (found,) = verify(image).findings[-1:]
    assert "its files have more than" in found.what
    other = tmp_path / "other.iso"
    squash.add(b"more", file(3, 0))
    files, index = of_tree(ISO_SQUASHFS, squash.build())
    write_iso(other, {**files, ISO_INDEX: json.dumps(index).encode()}, label="X", epoch=0)
    assert call(["diff", str(image), str(other)]) == 1


def test_a_squashfs_does_not_reach_beyond_its_file(iso: Iso) -> None:
    """Its own size says more than the file on the ISO has."""
    data = Squash().build()
    (used,) = struct.unpack_from("<Q", data, 40)
    longer = data[:40] + struct.pack("<Q", used + 50_000) + data[48:]
    assert "bytes, of which" in verify(iso(*of_tree(ISO_SQUASHFS, longer))).findings[-1].what


def test_findings_have_a_limit(iso: Iso) -> None:
    index = {**BASE, "files": {f"/gone-{number}": described(b"") for number in range(FINDINGS + 50)}}
    found = verify(iso({"/a": b"x"}, index))
    assert (len(found.findings), found.more) == (FINDINGS, 51)


def test_damage_is_looked_into_for_some_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal of many small areas, all of them wrong, over a squashfs of many small blocks."""
    blocks, areas = 200, 500
    squash = Squash(block=1 << 12)
    squash.add(b"f", file(2, blocks << 12, [1 | 1 << 24] * blocks))
    packed = squash.build()
    start = 64 * BLOCK
    inside = [Area(start + number, 1, ISO_SQUASHFS) for number in range(areas)]
    known = [Area(0, start, "[head]"), *inside, Area(start + areas, len(packed) - areas, ISO_SQUASHFS)]
    data = bytearray(start) + packed
    position = -(-len(data) // BLOCK) * BLOCK
    known.append(Area(len(data), position - len(data), "[rest]"))
    text = seal._text([(area, NOTHING) for area in known])
    data[16 * BLOCK + 80 : 16 * BLOCK + 88] = (position // BLOCK).to_bytes(4, "little") * 2
    path = tmp_path / "x.iso"
    path.write_bytes(bytes(data).ljust(position, b"\0") + text.ljust(-(-len(text) // BLOCK) * BLOCK, b"\0"))
    for looked_at in (0, 100, areas):
        monkeypatch.setattr(verifying, "LOOKED_AT", looked_at * blocks)
        found = verify(path)
        assert len(found.findings) == areas + 3
        # The first bytes of all, before any data, are the superblock.
        told = [finding for finding in found.findings if finding.path != ISO_SQUASHFS]
        assert len(told) == looked_at + 2
        assert [finding.offset for finding in found.findings] == [area.offset for area in known]


def test_what_is_said_of_a_path_has_a_limit(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    said, really = system(), system()
    for number in range(9):
        really.at("/usr/bin/su").xattrs[f"user.{number}"] = bytes(60_000)
    one, two = make("one", really, said=said), make("two", said)
    assert call(["verify", str(one)]) == call(["diff", str(one), str(two)]) == 1
    out = capsys.readouterr().out
    assert "characters)" in out
    assert max(map(len, out.splitlines())) < 3000


def test_nothing_on_an_image_writes_on_the_terminal(iso: Iso, capsys: pytest.CaptureFixture[str]) -> None:
    image = iso({f"/Z{ESCAPES}": b"x"}, {**BASE, "files": {f"/gone{ESCAPES}": described(b"")}})
    for command in (["verify", str(image)], ["diff", str(image), str(image)], ["sbom", str(image)]):
        call(command)
        said = capsys.readouterr()
        assert not {"\x1b", "\x07"} & set(said.out + said.err)
        assert not [line for line in (said.out + said.err).splitlines() if line.startswith("::")]


BILL = f"{ISO_CONTENTS}/{CYCLONEDX}"


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1}' + ESCAPES.encode(),
        b"\xff\xfe",
        b"[" * 100_000,
        b"NaN",
        b"",
        b"1" * 5000,
    ],
)
def test_a_bill_that_is_none(iso: Iso, document: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    image = iso({BILL: document}, {**BASE, "files": {BILL: described(document)}})
    assert call(["sbom", str(image)]) == 1
    said = capsys.readouterr()
    assert (said.out, "the document is not JSON" in said.err) == ("", True)


def test_a_bill_is_printed_as_we_would_write_it(iso: Iso, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": ESCAPES, "b": "\ud800", "c": ["\u202e", "é"], "##[command]": 1}
    document = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    image = iso({BILL: document}, {**BASE, "files": {BILL: described(document)}})
    assert call(["sbom", str(image)]) == 1, "a surrogate is no UTF-8"
    capsys.readouterr()
    document = json.dumps(value).encode()
    image = iso({BILL: document}, {**BASE, "files": {BILL: described(document)}})
    assert call(["sbom", str(image)]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == value
    assert not {"\x1b", "\x07"} & set(out)


# --- diff ------------------------------------------------------------------------------------------------------------


def test_links_and_pipes_in_directories_are_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a password")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("also secret")
    for side in ("a", "b"):
        directory = tmp_path / side
        directory.mkdir()
        (directory / "same").symlink_to(secret)
        os.mkfifo(directory / "pipe")
    (tmp_path / "a/x").symlink_to(secret)
    (tmp_path / "b/x").write_text("a passw0rd")
    (tmp_path / "a/y").symlink_to(secret)
    (tmp_path / "b/y").symlink_to(tmp_path / "elsewhere/file")
    (tmp_path / "b/more").symlink_to(tmp_path / "elsewhere")
    found = {change.path: change.fields for change in compare(tmp_path / "a", tmp_path / "b").changes}
    assert found == {
        "x": {"kind": ("symlink", "file")},
        "y": {"target": (str(secret), str(tmp_path / "elsewhere/file"))},
        "more": {"there": ("", "symlink")},
    }
    os.mkfifo(tmp_path / "pipe.iso")
    assert call(["verify", str(tmp_path / "pipe.iso")]) == 1
    assert call(["diff", str(tmp_path / "pipe.iso"), str(tmp_path / "pipe.iso")]) == 1
    assert "this is no regular file" in capsys.readouterr().err


def test_dpkg_says_more_than_is_read(make: Make) -> None:
    """A status file and lists of files that are large, and numbers with more digits than Python takes."""
    trees = [system(), system()]
    for number, tree in enumerate(trees):
        stanza = f"Package: hello\nVersion: {'9' * 5000}{number}\nArchitecture: amd64\n"
        tree.write("/var/lib/dpkg/status", stanza.encode())
        tree.write("/var/lib/dpkg/info/a.list", b"/\n" * (17 << 20))
        tree.write("/etc/motd", b"%d" % number)
    old, new = make("old", trees[0]), make("new", trees[1])
    found = compare(old, new)
    assert {change.path for change in found.changes} >= {f"{ISO_SQUASHFS}!/etc/motd"}
    assert found.packages == ()
    assert call(["diff", str(old), str(new), "--html", str(old.parent / "page.html")]) == 1


def test_a_status_file_of_many_short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small in an image, and a paragraph each in memory."""
    monkeypatch.setattr(deb822, "MOST_LINES", 2100)
    tree = Tree()
    stanza = b"Package: hello\nVersion: 1\nArchitecture: all\n\n"
    for more, expected in ((1000, {("hello", "all"): "1"}), (1050, {})):
        tree.write(f"{ADMINDIR}/status", stanza + b"a:\n\n" * more, parents=True)
        assert installed(OpenTree(tree, content.chunks)) == expected


@pytest.mark.parametrize("links", ["/usr/0/hello", "/var/lib/dpkg/info/a.list"])
def test_paths_that_lead_through_long_links(links: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look-up may go through 40 links of 4,000 characters; all of them together may not."""
    limit = 1 << 20
    monkeypatch.setattr(packages, "MOST_FOLLOWED", limit)
    tree = Tree()
    tree.write("/var/lib/dpkg/info/0.list", b"/usr/bin/hello\n", parents=True)
    tree.mkdir("/usr/bin", parents=True)
    for number in range(30):
        tree.symlink("bin/../" * 500 + f"{number + 1}", f"/usr/{number}")
    tree.symlink("bin", "/usr/30")
    if links.startswith("/usr"):
        tree.write("/var/lib/dpkg/info/a.list", f"{links}\n".encode() * 1000)
    else:
        for number in range(100):
            tree.symlink("/usr/0/none", f"/var/lib/dpkg/info/{number}x.list")
    found = owners(OpenTree(tree, content.chunks))
    assert found["/usr/bin/hello"] == "0"
    assert limit < tree.followed < 2 * limit


def test_paths_of_listings_come_back() -> None:
    for path in ("/a b", "/\\x41", "/é\udcff", "/a=,\n"):
        assert listing.unescaped(escaped(path)) == path


# --- rebuild ---------------------------------------------------------------------------------------------------------

DIGEST = hashlib.sha256(b"data").hexdigest()


def image_of(iso: Iso, files: Mapping[str, bytes]) -> Image:
    recipe = {"/live/recipe/recipe.toml": b"name = 'x'\n", "/live/x.lock.toml": format_lock(LOCK).encode()}
    return Image(iso({**recipe, **files}, BASE))


def test_only_what_the_assembler_writes_is_taken_out(iso: Iso, tmp_path: Path) -> None:
    directory = tmp_path / "good"
    directory.mkdir()
    take_out(image_of(iso, {f"/live/recipe/files/{DIGEST}": b"data"}), directory)
    taken = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    assert taken == [f"files/{DIGEST}", "recipe.toml", "x.lock.toml"]


@pytest.mark.parametrize(
    "name",
    [
        "other.toml",
        "x.lock.toml",
        f"files/{DIGEST[:-1]}",
        f"files/{'0' * 64}",
        f"files/{DIGEST}/{DIGEST}",
        f"{DIGEST}",
        ".bashrc",
        "files/..a",
    ],
)
def test_nothing_else_is_written(iso: Iso, tmp_path: Path, name: str) -> None:
    directory = tmp_path / "taken"
    directory.mkdir()
    with pytest.raises(ImageError, match="not under its own digest"):
        take_out(image_of(iso, {f"/live/recipe/{name}": b"data"}), directory)
    assert {path.name for path in tmp_path.iterdir()} == {"taken", "x.iso"}
    if not name.startswith("files/"):
        assert not list((directory / "files").iterdir())


@pytest.mark.parametrize("target", ["/victim", "/../victim", "//victim", "x/../../../victim", "../victim"])
def test_names_that_lead_elsewhere(iso: Iso, tmp_path: Path, target: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    name = (str(tmp_path) + target if target.startswith("/") else target).encode()
    placeholder = "Z" * len(name)
    path = image_of(iso, {f"/live/recipe/{placeholder}": b"owned"}).path
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), name))
    directory = tmp_path / "taken"
    directory.mkdir()
    with pytest.raises(IsoReadError, match="which is none"):
        take_out(Image(path), directory)
    assert call(["rebuild", str(path), "--offline", "--out", str(tmp_path / "out")]) == 1
    assert victim.read_text() == "precious"
    assert not list(directory.iterdir())


def test_no_kernel_is_compiled_unless_told_to(
    iso: Iso, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = b'name = "x"\n[kernel]\nsource = "vanilla"\npackage = "linux-source-6.12"\n'
    path = image_of(iso, {"/live/recipe/recipe.toml": recipe}).path
    command = ["rebuild", str(path), "--offline", "--out", str(tmp_path / "out")]
    assert call(command) == 1
    assert "--allow-compile" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists(), "nothing was looked up, fetched or made"
    assert call([*command, "--allow-compile"]) == 1
    assert "--allow-compile" not in capsys.readouterr().err, "it goes on, and fails for want of packages"


# --- verify --lock ---------------------------------------------------------------------------------------------------


def verdict(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = call(["verify", *arguments, "--json"])
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return status, next(each["verdict"] for each in results if each["event"] == "result")


def test_a_lock_without_outputs_cannot_tell_a_forgery(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another file in the tree, the same packages: only an output that was recorded tells these two apart."""
    tree = system()
    tree.write("/usr/bin/backdoor", b"#!", 0o4755)
    true, forged = make("true", system()), make("forged", tree)
    bare, recorded = tmp_path / "bare.lock.toml", tmp_path / "recorded.lock.toml"
    write_lock(bare, replace(LOCK, build=None))
    output = LockedOutput(name="node.iso", size=true.stat().st_size, sha256=sha256_of(true))
    build = LockedBuild(recipe_sha256=NOTHING, assembler="0.1.0", outputs=(output,), layers=())
    write_lock(recorded, replace(LOCK, build=build))

    for image in (true, forged):
        assert verdict([str(image)], capsys) == (0, "sound")
        assert verdict([str(image), "--lock", str(bare)], capsys) == (1, "packages-only")
        assert verdict([str(image), "--lock", str(bare), "--packages-only"], capsys) == (0, "packages-only")
    assert verdict([str(true), "--lock", str(recorded)], capsys) == (0, "recorded")
    for option in ([], ["--packages-only"]):
        assert verdict([str(forged), "--lock", str(recorded), *option], capsys) == (1, "different")

    assert call(["verify", str(forged), "--lock", str(bare)]) == 1
    assert "only 2 packages were compared" in " ".join(capsys.readouterr().err.split())
    seed = replace(build, outputs=(replace(output, name="cloud-init-seed.iso"),))
    write_lock(recorded, replace(LOCK, build=seed))
    assert verdict([str(true), "--lock", str(recorded)], capsys) == (1, "packages-only"), "of another output"
    assert call(["verify", str(true), "--packages-only"]) == 2
    assert call(["verify", str(true), "--lock", str(tmp_path / "x.lock.toml")]) == 2


def test_an_image_cannot_keep_quiet_about_its_packages(make: Make) -> None:
    """Without a list of what is in the squashfs, or without dpkg's own, there is nothing to compare."""
    tree = system()
    tree.remove("/var/lib/dpkg/status")
    image = make("x", tree)
    assert verify(image).findings == ()
    (finding,) = verify(image, replace(LOCK, build=None)).findings
    assert "dpkg knows of no package" in finding.what
    index = Image(image).index
    bare = {**index, "trees": {}}
    files = {path: Image(image).read(path, 1 << 24) for path in index["files"]}
    write_iso(image, {**files, ISO_INDEX: json.dumps(bare).encode()}, label="X", epoch=0)
    found = verify(image, replace(LOCK, build=None))
    assert [each.what for each in found.findings[:2]] == ["nothing lists what is in it"] * 2


def test_a_seed_is_compared_with_what_is_recorded(tmp_path: Path) -> None:
    seed = tmp_path / "cloud-init-seed.iso"
    write_iso(seed, {"/user-data": b"#cloud-config\n"}, label="cidata", epoch=0)
    output = LockedOutput(name=seed.name, size=seed.stat().st_size, sha256=sha256_of(seed))
    lock = replace(LOCK, build=LockedBuild(recipe_sha256=NOTHING, assembler="1", outputs=(output,), layers=()))
    found = verify(seed, lock)
    assert (found.findings, found.compared) == ((), "outputs")
    assert verify(seed, replace(LOCK, build=None)).findings[0].what.startswith("it has no list of its contents")
    write_iso(seed, {"/user-data": b"#cloud-config\n{}\n"}, label="cidata", epoch=0)
    assert "is not the cloud-init-seed.iso that the lock has recorded" in verify(seed, lock).findings[0].what
