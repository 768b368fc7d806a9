import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError, Place
from assembler.lockfile.model import LockedPackage
from assembler.store.objects import Store
from assembler.tools.unpack import lay_out, listing, unpacked
from tests.debian.debs import deb, directory, hard, item, link, opened


def laid_out(path: Path, *debs: bytes) -> Path:
    out = path / "out"
    lay_out([(f"package{number}", opened(path / f"in{number}", data)) for number, data in enumerate(debs)], out)
    return out


def test_merges_usr_and_keeps_links_inside(tmp_path: Path) -> None:
    out = laid_out(
        tmp_path,
        deb(
            "tool",
            directory("./bin/"),
            item("./bin/tool", b"#!", mode=0o4755),
            hard("./bin/same", "./bin/tool"),
            link("./bin/up", "../usr/bin/tool"),
            link("./usr/bin/across", "/bin/tool"),
            link("./usr/bin/beyond", "../../../../../../etc/passwd"),
            item("./usr/share/doc/tool/README", b"text"),
        ),
        deb("base", link("./bin", "usr/bin"), directory("./usr/lib64/"), link("./lib64", "usr/lib64")),
    )
    assert sorted(path.name for path in out.iterdir()) == ["bin", "lib64", "usr"]
    assert (out / "lib64").readlink() == Path("usr/lib64")
    tool = out / "usr/bin/tool"
    assert tool.stat().st_mode & 0o7777 == 0o755
    assert tool.samefile(out / "usr/bin/same")
    assert tool.samefile(out / "usr/bin/up")
    assert tool.samefile(out / "usr/bin/across")
    assert (out / "usr/bin/beyond").readlink() == Path("../../etc/passwd")
    assert not (out / "usr/share/doc").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link and a file below it, whichever package comes first, never meet on the host."""
    outside = tmp_path / "outside"
    outside.mkdir()
    out = laid_out(
        tmp_path,
        deb("evil", link("./usr/escape", str(outside))),
        deb("file", directory("./usr/escape/"), item("./usr/escape/file", b"x")),
    )
    assert list(outside.iterdir()) == []
    assert (out / "usr/escape/file").read_bytes() == b"x"


def everything_is_inside(out: Path) -> None:
    for path in out.rglob("*"):
        # A link that leads to itself is resolved as far as it goes.
        assert Path(os.path.realpath(path)).is_relative_to(out.resolve()), f"{path} leads to {os.path.realpath(path)}"


def test_no_link_is_made_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    # In its words this path is deep, in truth it is at the top: what climbs from it by its words would leave.
    deep = "usr/p/" + "/".join("123456789")
    debs = [
        deb("first", link("./usr/escape", str(outside)), directory(f"./{deep}"), link(f"./{deep}/s", "/")),
        deb("second", link("./usr/escape/planted", "/anything"), link(f"./{deep}/s/x", str(outside))),
        deb("third", link(f"./{deep}/s/x/y", "/etc/shadow"), link("./usr/escape/planted/more", "../../..")),
    ]
    out = laid_out(tmp_path, *debs)
    assert list(outside.iterdir()) == []
    everything_is_inside(out)
    assert (out / "usr/escape").is_dir()
    assert not (out / "usr/escape").is_symlink()


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["file", "directory", "link", "link", "link"]),
            st.lists(st.sampled_from(["usr", "bin", "a", "b"]), min_size=1, max_size=4).map("/".join),
            st.lists(st.sampled_from(["..", ".", "a", "b", "usr", "bin", ""]), min_size=1, max_size=5).map("/".join),
        ),
        max_size=8,
    ),
    st.integers(0, 8),
)
def test_whatever_packages_ship_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str, str]], cut: int
) -> None:
    make = {"file": lambda name, _: item(name, b"x"), "directory": lambda name, _: directory(name), "link": link}
    items = [make[kind](f"./{name}", target or "/") for kind, name, target in entries]
    work = tmp_path_factory.mktemp("tools")
    out = work / "out"
    with suppress(AssembleError):
        laid_out(work, deb("one", *items[:cut], compression=""), deb("two", *items[cut:], compression=""))
    everything_is_inside(out)
    assert {path.name for path in work.iterdir()} <= {"out", "in0", "in1"}


@pytest.mark.parametrize(
    "debs",
    [
        (deb("one", item("./usr/bin/x", b"1")), deb("two", item("./bin/x", b"2"))),
        (deb("one", item("./usr/bin/x", b"1"), item("./usr/bin/x/y", b"2")),),
        (deb("one", hard("./usr/bin/x", "./usr/bin/missing")),),
        (deb("one", item("./usr/bin/x", b"1")), deb("two", link("./usr/bin/x/y", "z"))),
        (deb("one", item("./usr/bin/x", b"1")), deb("two", link("./bin/x", "z"))),
    ],
    ids=[
        "two packages, one file",
        "a file as directory",
        "hard link to nothing",
        "a link below a file",
        "and in its place",
    ],
)
def test_contradictions_are_errors(tmp_path: Path, debs: tuple[bytes, ...]) -> None:
    with pytest.raises(AssembleError):
        laid_out(tmp_path, *debs)


def test_who_contradicts_whom_is_said(tmp_path: Path) -> None:
    for number, (debs, what, why, where) in enumerate(
        (
            (
                (deb("one", item("./usr/bin/x", b"1")), deb("two", item("./bin/x", b"2"))),
                "two packages ship the same file",
                "package0 ships it too",
                Place(package="package1", path="/usr/bin/x"),
            ),
            (
                (deb("one", hard("./usr/bin/x", "./usr/bin/missing")),),
                "a package's file cannot be unpacked",
                "No such file or directory",
                Place(package="one", path="/usr/bin/x"),
            ),
        )
    ):
        with pytest.raises(AssembleError) as caught:
            laid_out(tmp_path / str(number), *debs)
        assert (caught.value.what, caught.value.why, caught.value.where) == (what, why, where)


def test_what_no_program_reads_is_left_out(tmp_path: Path) -> None:
    left = [f"./usr/share/{name}/x" for name in ("doc", "man", "info", "locale")]
    kept = [f"./usr/share/{name}/x" for name in ("docs", "manual", "zoneinfo")]
    out = laid_out(tmp_path, deb("one", *(item(name, b"x") for name in (*left, *kept))))
    assert sorted(path.name for path in (out / "usr/share").iterdir()) == ["docs", "manual", "zoneinfo"]


@pytest.mark.parametrize("name", ["bin", "sbin", "lib", "lib32", "lib64", "libx32"])
def test_every_directory_of_merged_usr_is_below_it(tmp_path: Path, name: str) -> None:
    out = laid_out(
        tmp_path,
        deb("one", item(f"./{name}/x", b"x"), item(f"./{name}x/y", b"y")),
        deb("two", link(f"./{name}", f"usr/{name}")),
    )
    assert (out / "usr" / name / "x").read_bytes() == b"x"
    assert (out / f"{name}x/y").read_bytes() == b"y"
    assert sorted(path.name for path in out.iterdir()) == sorted([name, "usr", f"{name}x"])
    assert (out / name).readlink() == Path("usr", name)


def test_the_listing_tells_every_change(tmp_path: Path) -> None:
    out = laid_out(tmp_path, deb("one", item("./usr/bin/x", b"x", mode=0o755), link("./usr/bin/y", "x")))
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    directory = f"{stat.S_IFDIR | stat.S_IMODE(out.stat().st_mode):o}"
    lines = [
        "120777 b'bin' 'usr/bin'\n",
        f"{directory} b'usr' ''\n",
        f"{directory} b'usr/bin' ''\n",
        f"100755 b'usr/bin/x' '{digest}'\n",
        "120777 b'usr/bin/y' 'x'\n",
    ]
    assert list(listing(out)) == lines
    (out / "usr/bin/x").chmod(0o744)
    assert list(listing(out)) != lines


@pytest.mark.parametrize("change", ["content", "mode", "more", "less", "link", "listing"])
def test_what_is_not_what_was_laid_out_is_made_anew(store: Store, change: str) -> None:
    data = deb("one", item("./usr/bin/x", b"x", mode=0o755), link("./usr/bin/y", "x"))
    package = locked(store, "one", data)
    out = unpacked(store, [package])
    program = out / "usr/bin/x"
    match change:
        case "content":
            program.write_bytes(b"y")
        case "mode":
            program.chmod(0o700)
        case "more":
            (out / "usr/bin/z").touch()
        case "less":
            program.unlink()
        case "link":
            (out / "usr/bin/y").unlink()
            (out / "usr/bin/y").symlink_to("/bin/sh")
        case _:
            (out.parent / "listing").write_bytes(b"\xff")
    again = unpacked(store, [package])
    assert again == out
    assert sorted(path.name for path in (out / "usr/bin").iterdir()) == ["x", "y"]
    assert (program.read_bytes(), stat.S_IMODE(program.stat().st_mode)) == (b"x", 0o755)
    assert (out / "usr/bin/y").readlink() == Path("x")


def locked(store: Store, name: str, data: bytes) -> LockedPackage:
    fields = {"version": "1", "architecture": "all", "source": name, "source_version": "1", "archive": "test"}
    return LockedPackage(
        name=name,
        size=len(data),
        sha256=store.add(data),
        path=f"{name}.deb",
        roles=("tools",),
        why="requested",
        **fields,
    )


def test_the_store_keeps_one_directory_for_a_set_of_packages(store: Store) -> None:
    one, two = (locked(store, name, deb(name, item(f"./usr/bin/{name}", name.encode()))) for name in ("one", "two"))
    out = unpacked(store, [one, two])
    assert (out / "usr/bin/two").read_bytes() == b"two"
    assert unpacked(store, [two, one]) == out
    assert unpacked(store, [two]) != out
