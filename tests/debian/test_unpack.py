"""Unpacking by dpkg's rules, and refusing what no package should hold."""

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.debian import unpack as unpacking
from assembler.debian.deb import Deb
from assembler.debian.paths import path_filter
from assembler.debian.unpack import Diversion, UnpackError, unpack
from assembler.errors import Problems
from assembler.tree.content import read
from assembler.tree.staging import Kind, Tree
from tests.debian.debs import deb, directory, hard, item, link, opened

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
        directory("./usr"),
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


OLD = (directory("./bin"), item("./bin/sh", b"#!", mode=0o755), directory("./lib64"), item("./lib64/ld.so", b"ld"))


@pytest.mark.parametrize("want", ["usrmerge", "usr-is-merged"])
def test_a_usr_that_is_to_be_merged_is_so_before_anything_is_unpacked(make: Make, want: str) -> None:
    """As debootstrap has it, where base-files has no links; and only what somebody ships is linked."""
    tree = Tree()
    debs = [make("sh", *OLD), make("base-files", directory("./bin")), make(want)]
    unpacked = unpack(tree, debs, latest=50)
    for path in ("/bin", "/lib64"):
        assert (tree.at(path).kind, tree.at(path).target, tree.at(path).mtime) == (Kind.SYMLINK, f"usr{path}", 50)
        assert (tree.at(f"/usr{path}").mode, tree.at(f"/usr{path}").mtime) == (0o755, 50)
    assert tree.is_file("/usr/bin/sh")
    assert tree.is_file("/usr/lib64/ld.so")
    assert not tree.lexists("/sbin")
    assert "/bin/sh" in unpacked[0].paths


def test_it_is_left_to_those_who_ship_the_links_or_do_not_want_it(make: Make) -> None:
    for debs in ([make("sh", *OLD), make("base-files")], [make("sh", *OLD), make("usrmerge")]):
        tree = Tree()
        unpack(tree, debs, latest=0)
        assert tree.at("/bin").kind is Kind.DIR
    tree = Tree()
    links = (directory("./usr"), directory("./usr/bin"), link("./bin", "usr/bin"))
    unpack(tree, [make("base-files", *links), make("sh", *OLD), make("usr-is-merged")], latest=0)
    assert tree.at("/bin").target == "usr/bin"
    assert tree.at("/lib64").kind is Kind.DIR


def test_usr_merge_aliases_of_another_package_are_followed(make: Make) -> None:
    tree = Tree()
    unpacked = unpack(
        tree,
        [
            make("base", directory("./usr"), directory("./usr/bin"), link("./bin", "usr/bin")),
            make("sh", directory("./bin"), item("./bin/sh", b"#!", mode=0o755)),
        ],
        latest=0,
    )
    assert tree.at("/bin").kind is Kind.SYMLINK
    assert tree.read("/usr/bin/sh") == b"#!"
    assert unpacked[1].paths == ("/.", "/bin", "/bin/sh")


def test_a_directory_that_is_there_keeps_owner_and_mode(make: Make) -> None:
    tree = Tree()
    unpack(tree, [make("a", directory("./d", 0o700)), make("b", directory("./d", 0o755), item("./d/f"))], latest=0)
    assert tree.at("/d").mode == 0o700
    assert tree.exists("/d/f")


def test_a_symbolic_link_never_replaces_a_directory(make: Make) -> None:
    tree = Tree()
    unpack(tree, [make("a", directory("./d"), item("./d/f")), make("b", link("./d", "elsewhere"))], latest=0)
    assert tree.at("/d").kind is Kind.DIR


def test_the_same_path_in_two_packages_is_a_conflict(make: Make) -> None:
    with pytest.raises(UnpackError, match="two packages ship the same path") as caught:
        unpack(Tree(), [make("a", item("./f", b"a")), make("b", item("./f", b"b"))], latest=0)
    assert (caught.value.where.package, caught.value.where.path) == ("b", "/f")
    assert "a has it too" in caught.value.why


def test_all_conflicts_are_told_at_once(make: Make) -> None:
    debs = [
        make("a", item("./f", b"a"), item("./g"), item("./own")),
        make("b", item("./f", b"b"), hard("./same", "./f"), item("./h")),
        make("c", item("./g"), item("./f"), item("./h")),
    ]
    tree = Tree()
    with pytest.raises(Problems) as caught:
        unpack(tree, debs, latest=0)
    assert [(error.where.package, error.where.path, error.why.split()[0]) for error in caught.value.errors] == [
        ("b", "/f", "a"),
        ("c", "/g", "a"),
        ("c", "/f", "a"),
        ("c", "/h", "b"),
    ]
    assert all(isinstance(error, UnpackError) for error in caught.value.errors)


def test_what_may_come_of_a_conflict_is_not_told(make: Make) -> None:
    """The third has files behind a link of the second, which is not made as the first has a file there."""
    debs = [
        make("a", item("./l")),
        make("b", directory("./d"), link("./l", "d")),
        make("c", item("./l/x")),
    ]
    with pytest.raises(UnpackError, match="two packages ship the same path") as caught:
        unpack(Tree(), debs, latest=0)
    assert caught.value.where.path == "/l"
    with pytest.raises(UnpackError, match="in a directory that is not there"):
        unpack(Tree(), debs[2:], latest=0)


def test_two_versions_of_one_package_are_not_told_path_by_path(make: Make) -> None:
    items = [item(f"./{number}") for number in range(unpacking.MAX_CONFLICTS + 7)]
    with pytest.raises(Problems) as caught:
        unpack(Tree(), [make("a", *items), make("b", *items)], latest=0)
    assert len(caught.value.errors) == unpacking.MAX_CONFLICTS + 1
    assert str(caught.value.errors[-1]) == "packages ship 7 more paths of others"


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
    debs = [make("a", directory("./doc"), item("./doc/x"), hard("./doc/y", "./doc/x"), hard("./kept", "./doc/x"))]
    unpacked = unpack(tree, debs, latest=0, paths=path_filter(["/doc/*"], []))
    assert tree.names("/doc") == []
    assert tree.exists("/kept")
    assert "/doc/x" in unpacked[0].paths


def test_an_excluded_directory_leaves_no_directory_behind(make: Make) -> None:
    tree = Tree()
    package = make("a", directory("./l"), directory("./l/de"), item("./l/de/x"), directory("./l/en"), item("./l/en/x"))
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
        ([directory("./d"), item("./d")], "same path twice"),
        ([item("./f", b"1"), hard("./l", "./f"), hard("./l", "./f")], "same path twice"),
        ([hard("./l", "./nothing")], "hard link to what"),
        ([hard("./l", "./later"), item("./later")], "hard link to what"),
        ([directory("./d"), hard("./l", "./d")], "hard link to what"),
        ([link("./s", "/etc"), item("./s/passwd", b"x")], "below its own symbolic link"),
        ([link("./s", "../../../etc"), item("./s/deep/passwd", b"x")], "below its own symbolic link"),
        ([item("./f"), item("./f/x")], "a directory that is not there"),
        ([item("./a/b")], "a directory that is not there"),
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
    directories = [directory(f".{path}") for path in reversed([tmp_path, *tmp_path.parents]) if path.name]
    unpack(
        tree, [make("a", *directories, link("./s", f"../../..{tmp_path}")), make("b", item("./s/x", b"x"))], latest=0
    )
    assert tree.read(f"{tmp_path}/x") == b"x"
    assert not (tmp_path / "x").exists()


def test_no_link_where_the_package_has_a_directory_after_all(make: Make) -> None:
    debs = [make("a", directory("./d")), make("b", item("./d/x"), link("./d", "/etc"), item("./d/passwd"))]
    with pytest.raises(UnpackError, match="symbolic link where it has a directory"):
        unpack(Tree(), debs, latest=0)


def test_names_of_owners_come_before_their_numbers(make: Make) -> None:
    """As dpkg and tar have it: a package that was built by a user with other numbers is the same in every image."""
    accounts = [
        *(directory(path) for path in ("./usr", "./usr/share", "./usr/share/base-passwd")),
        item(
            "./usr/share/base-passwd/passwd.master",
            b"root::0:0:r:/root:/bin/sh\nman::6:12:m:/:/x\nman::7:7:::\nbad::x:\n",
        ),
        item("./usr/share/base-passwd/group.master", b"root::0:\nshadow::42:\nhuge::4294967296:\n"),
    ]
    tree = Tree()
    debs = [
        make(
            "owned",
            item("./man", uname="man", uid=0, gname="shadow", gid=1),
            item("./root", uname="root", uid=1000, gname="root", gid=1000),
            item("./other", uname="bad", uid=1000, gname="huge", gid=1001),
        ),
        make("base-passwd", *accounts),
    ]
    unpack(tree, debs, latest=0)
    assert {path: (tree.at(path).uid, tree.at(path).gid) for path in ("/man", "/root", "/other")} == {
        "/man": (6, 42),
        "/root": (0, 0),
        "/other": (1000, 1001),
    }


def test_directories_that_are_not_listed_are_bounded(make: Make) -> None:
    """A path is much shorter than what its directories take in memory."""
    tree = Tree()
    names = [f"./d/{number}/" + "/".join("f" * 200) for number in range(60)]
    with pytest.raises(UnpackError, match="too many directories that it does not ship"):
        unpack(tree, [make("a", *(link(f"{name}/l", "x") for name in names))], latest=0, paths=path_filter(["/*"], []))


def test_many_files_below_deep_directories_take_no_time(make: Make) -> None:
    """Looking for links above each of them would be quadratic."""
    deep = ["./" + "/".join("d" * depth) for depth in range(1, 250)]
    items = [*(directory(path) for path in deep), link("./l", "x"), *(item(f"{deep[-1]}/{n}") for n in range(3000))]
    tree = Tree()
    unpack(tree, [make("a", *items, compression=".gz")], latest=0)
    assert len(list(tree.copy().walk())) == 1 + 249 + 1 + 3000


def test_directories_behind_long_links_are_looked_up_for_some_time_only(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One package has the links, and the other files behind them; each look-up goes through all of them."""
    monkeypatch.setattr(unpacking, "MAX_FOLLOWED", 1 << 20)
    long = [link(f"./{number}", "bin/../" * 500 + f"{number + 1}") for number in range(30)]
    links = make("links", directory("./bin"), *long, link("./30", "bin"))
    files = make(
        "files", *(one for number in range(20) for one in (directory(f"./0/{number}"), item(f"./0/{number}/x")))
    )
    with pytest.raises(UnpackError, match="absurdly long links"):
        unpack(Tree(), [links, files], latest=0)


def test_no_path_is_deeper_behind_links_than_it_may_be(make: Make) -> None:
    """Each package alone has none that is too deep; whoever goes through the tree would need a level for each."""
    deep = "/".join("d" * 150)
    directories = ["/".join("d" * depth) for depth in range(1, 151)]
    first = make("first", *(directory(f"./{path}") for path in directories), link("./l", deep))
    second = make("second", *(directory(f"./l/{path}") for path in directories))
    with pytest.raises(UnpackError, match="too long behind the links") as caught:
        unpack(Tree(), [first, second], latest=0)
    assert "names, and the deepest has 256" in caught.value.why


def test_a_file_in_the_place_of_a_directory_with_files_is_refused(make: Make) -> None:
    packages = [make("a", directory("./d"), item("./d/f", b"f")), make("b", item("./d", b"d"), Replaces="a")]
    with pytest.raises(UnpackError, match="a package ships a file where a directory with files is") as caught:
        unpack(Tree(), packages, latest=0)
    assert (caught.value.where.package, caught.value.where.path) == ("b", "/d")


def test_digests_are_made_for_a_package_that_brings_none(make: Make, tmp_path: Path) -> None:
    """As dpkg writes them down while it unpacks: of all files that are made, conffiles too, in the package's order."""
    items = (
        directory("./etc"), item("./etc/z", b"z\n"), item("./etc/a", b""), hard("./etc/h", "./etc/z"),
        link("./etc/l", "a"), item("./etc/left-out", b"x"),
    )  # fmt: skip
    own = opened(tmp_path / "own", deb("own", item("./f"), files={"md5sums": b"whatever"}))
    packages = [make("some", *items), make("empty"), own]
    some, empty, other = unpack(Tree(), packages, latest=0, paths=path_filter(["/etc/left-out"], []))
    sums = {
        "etc/z": hashlib.md5(b"z\n", usedforsecurity=False).hexdigest(),
        "etc/a": "d41d8cd98f00b204e9800998ecf8427e",
        "etc/h": hashlib.md5(b"z\n", usedforsecurity=False).hexdigest(),
    }
    assert some.sums == "".join(f"{value}  {path}\n" for path, value in sums.items()).encode()
    assert (empty.sums, other.sums) == (b"", None)


def test_what_a_preinst_may_divert_is_put_aside(make: Make, tmp_path: Path) -> None:
    diverting = {"preinst": b"#!/bin/sh\ndpkg-divert --rename --add /f\n", "conffiles": b"/c\n"}
    for first in (False, True):
        tree = Tree()
        diverter = opened(
            tmp_path / f"diverter-{first}", deb("diverter", item("./f", b"d"), item("./c"), files=diverting)
        )
        other = make("other-first" if first else "other", item("./f", b"o", mode=0o755))
        debs = [diverter, other] if first else [other, diverter]
        unpacked = unpack(tree, debs, latest=0)
        assert tree.read("/f") == (b"d" if first else b"o")
        assert unpacked[0].aside == ()
        (aside,) = unpacked[1].aside
        assert (aside.path, aside.other, read(aside.inode.content)) == ("/f", unpacked[0].name, b"o" if first else b"d")
        assert unpacked[1].paths[:2] == ("/.", "/f")
    # dpkg would ask about a conffile.
    with pytest.raises(UnpackError, match="two packages ship the same path"):
        unpack(Tree(), [make("third", item("./c")), diverter], latest=0)


def test_symbolic_links_are_listed_last(make: Make) -> None:
    package = make("a", link("./l", "f"), item("./f"), link("./k", "f"), directory("./d"), item("./d/g"))
    (unpacked,) = unpack(Tree(), [package], latest=0)
    assert unpacked.paths == ("/.", "/f", "/d", "/d/g", "/l", "/k")


def test_names_of_owners_that_nobody_has_yet_are_told(make: Make) -> None:
    """The names may be those of accounts that the preinst makes."""
    items = (
        item("./a", uid=7, uname="made", gname="made"), item("./b", uname="root", gname="made"), item("./c"),
        item("./left-out", uname="made"),
    )  # fmt: skip
    (unpacked,) = unpack(Tree(), [make("a", *items)], latest=0, paths=path_filter(["/left-out"], []))
    assert unpacked.named == (("/a", "made", "made"), ("/b", "", "made"))
