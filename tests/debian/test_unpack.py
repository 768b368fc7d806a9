"""Unpacking by dpkg's rules, and refusing what no package should hold."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.debian.deb import Deb
from assembler.debian.paths import path_filter
from assembler.debian.unpack import Diversion, UnpackError, unpack
from assembler.tree.content import read
from assembler.tree.staging import Kind, Tree
from tests.debian.debs import deb, folder, hard, item, link, opened

Item = tuple[tarfile.TarInfo, bytes]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Deb]:
    def build(name: str, *items: Item, **fields: str) -> Deb:
        return opened(tmp_path / name, deb(name, *items, **fields))  # type: ignore[arg-type]  # fields only

    return build


Make = Callable[..., Deb]


def test_owners_modes_and_times_are_exact(make: Make) -> None:
    tree = Tree()
    package = make(
        "a",
        folder("./usr"),
        item("./usr/su", b"s", mode=0o4755, uid=3, gid=42, mtime=100),
        item("./usr/late", b"", mtime=99_999),
        link("./usr/link", "su"),
        item("./usr/fifo", type=tarfile.FIFOTYPE, mode=0o600),
    )
    unpack(tree, [package], latest=5000)
    su = tree.at("/usr/su")
    assert (su.mode, su.uid, su.gid, su.mtime) == (0o4755, 3, 42, 100)
    assert tree.at("/usr/late").mtime == 5000
    assert (tree.at("/usr/link").target, tree.at("/usr/link").mode) == ("su", 0o777)
    assert tree.at("/usr/fifo").kind is Kind.FIFO


def test_usr_merge_aliases_of_another_package_are_followed(make: Make) -> None:
    tree = Tree()
    unpacked = unpack(
        tree,
        [
            make("base", folder("./usr"), folder("./usr/bin"), link("./bin", "usr/bin")),
            make("sh", folder("./bin"), item("./bin/sh", b"#!", mode=0o755)),
        ],
        latest=0,
    )
    assert tree.at("/bin").kind is Kind.SYMLINK
    assert tree.read("/usr/bin/sh") == b"#!"
    assert unpacked[1].paths == ("/.", "/bin", "/bin/sh")


def test_a_folder_that_is_there_keeps_owner_and_mode(make: Make) -> None:
    tree = Tree()
    unpack(tree, [make("a", folder("./d", 0o700)), make("b", folder("./d", 0o755), item("./d/f"))], latest=0)
    assert tree.at("/d").mode == 0o700
    assert tree.exists("/d/f")


def test_a_symbolic_link_never_replaces_a_folder(make: Make) -> None:
    tree = Tree()
    unpack(tree, [make("a", folder("./d"), item("./d/f")), make("b", link("./d", "elsewhere"))], latest=0)
    assert tree.at("/d").kind is Kind.DIR


def test_the_same_path_in_two_packages_is_a_conflict(make: Make) -> None:
    with pytest.raises(UnpackError, match="two packages ship the same path") as caught:
        unpack(Tree(), [make("a", item("./f", b"a")), make("b", item("./f", b"b"))], latest=0)
    assert (caught.value.where.package, caught.value.where.path) == ("b", "/f")
    assert "a has it too" in caught.value.why


@pytest.mark.parametrize("winner", ["a", "b"])
def test_replaces_decides_whose_file_it_is_whatever_the_order(make: Make, winner: str) -> None:
    tree = Tree()
    fields = {"a": {"Replaces": "z, b (<< 2)"}, "b": {"Replaces": "a"}}
    debs = [
        make(name, item("./f", name.encode()), item(f"./{name}"), **(fields[name] if name == winner else {}))
        for name in ("a", "b")
    ]
    unpacked = unpack(tree, debs, latest=0)
    assert tree.read("/f") == winner.encode()
    assert [package.name for package in unpacked if "/f" in package.paths] == [winner]


def test_a_replaces_of_another_version_counts_for_nothing(make: Make) -> None:
    debs = [make("a", item("./f")), make("b", item("./f"), Replaces="a (<< 1)")]
    with pytest.raises(UnpackError, match="two packages"):
        unpack(Tree(), debs, latest=0)


def test_a_diversion_moves_the_others_file_aside(make: Make) -> None:
    tree = Tree()
    debs = [make("dash", item("./sh", b"dash")), make("bash", item("./sh", b"bash"))]
    unpacked = unpack(tree, debs, latest=0, diversions=[Diversion("/sh", "/sh.distrib", "bash")])
    assert (tree.read("/sh"), tree.read("/sh.distrib")) == (b"bash", b"dash")
    assert "/sh" in unpacked[0].paths


def test_excluded_paths_are_listed_but_not_made(make: Make) -> None:
    tree = Tree()
    debs = [make("a", folder("./doc"), item("./doc/x"), hard("./doc/y", "./doc/x"), hard("./kept", "./doc/x"))]
    unpacked = unpack(tree, debs, latest=0, paths=path_filter(["/doc/*"], []))
    assert tree.names("/doc") == []
    assert tree.exists("/kept")
    assert "/doc/x" in unpacked[0].paths


def test_an_excluded_folder_leaves_no_folder_behind(make: Make) -> None:
    tree = Tree()
    package = make("a", folder("./l"), folder("./l/de"), item("./l/de/x"), folder("./l/en"), item("./l/en/x"))
    unpack(tree, [package], latest=0, paths=path_filter(["/l/*"], ["/l/en/*", "/l/en"]))
    assert [path for path, _ in tree.walk()] == ["/", "/l", "/l/en", "/l/en/x"]


def test_hard_links_are_one_file_and_survive_an_excluded_target(make: Make) -> None:
    tree = Tree()
    debs = [make("a", item("./a", b"same"), hard("./b", "./a")), make("p", item("./x", b"X"), hard("./y", "./x"))]
    unpack(tree, debs, latest=0, paths=path_filter(["/x"], []))
    assert tree.at("/a") is tree.at("/b")
    assert read(tree.at("/y").content) == b"X"


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([item("./dev/x", type=tarfile.CHRTYPE, devmajor=1, devminor=3)], "device node"),
        ([item("./dev/x", type=tarfile.BLKTYPE)], "device node"),
        ([item("./f", b"1"), item("./f", b"2")], "same path twice"),
        ([folder("./d"), item("./d")], "same path twice"),
        ([item("./f", b"1"), hard("./l", "./f"), hard("./l", "./f")], "same path twice"),
        ([hard("./l", "./nothing")], "hard link to what"),
        ([hard("./l", "./later"), item("./later")], "hard link to what"),
        ([folder("./d"), hard("./l", "./d")], "hard link to what"),
        ([link("./s", "/etc"), item("./s/passwd", b"x")], "below its own symbolic link"),
        ([link("./s", "../../../etc"), item("./s/deep/passwd", b"x")], "below its own symbolic link"),
        ([item("./f"), item("./f/x")], "in the way|not a folder"),
        ([item("./a\nb")], "line feed"),
    ],
)
def test_hostile_packages_end_in_a_clear_error(make: Make, items: list[Item], message: str) -> None:
    with pytest.raises(UnpackError, match=message) as caught:
        unpack(Tree(), [make("evil", *items)], latest=0)
    assert caught.value.where.package == "evil"
    assert caught.value.where.path


def test_a_link_out_of_the_tree_stays_inside(make: Make, tmp_path: Path) -> None:
    tree = Tree()
    unpack(tree, [make("a", link("./s", f"../../..{tmp_path}")), make("b", item("./s/x", b"x"))], latest=0)
    assert tree.read(f"{tmp_path}/x") == b"x"
    assert not (tmp_path / "x").exists()
