import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError
from assembler.lockfile.model import LockedPackage
from assembler.store.objects import Store
from assembler.tools.unpack import lay_out, unpacked
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
    assert sorted(path.name for path in out.iterdir()) == ["usr"]
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


def test_the_store_keeps_one_directory_for_a_set_of_packages(store: Store) -> None:
    def locked(name: str) -> LockedPackage:
        data = deb(name, item(f"./usr/bin/{name}", name.encode()))
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

    one, two = locked("one"), locked("two")
    out = unpacked(store, [one, two])
    assert (out / "usr/bin/two").read_bytes() == b"two"
    assert unpacked(store, [two, one]) == out
    assert unpacked(store, [two]) != out
