"""Sources laid out: from a tarball, from Debian's package, and whatever else somebody calls a source."""

from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.kernel.source import SourceError, from_file, from_package, release_of
from assembler.store.objects import Store
from assembler.tree.tar import Limits, TarError
from tests.debian.debs import COMPRESSORS, deb, item, link, tar
from tests.support.reporters import Recorder

FILES = {
    "Makefile": b"# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 118\nEXTRAVERSION =\nNAME = Baby Opossum Posse\n",
    "Kconfig": b"",
    "scripts/Makefile.build": b"",
    "scripts/setlocalversion": b"#!/bin/sh\n",
}


def tarball(
    files: dict[str, bytes], compression: str = ".xz", links: dict[str, str] | None = None, top: str = "linux-6.12"
) -> bytes:
    members = [
        item(f"{top}/{name}", data, mode=0o775 if name.endswith("version") else 0o664) for name, data in files.items()
    ]
    members += [link(f"{top}/{name}", target) for name, target in (links or {}).items()]
    return COMPRESSORS[compression](tar(members))


def laid_out(store: Store, data: bytes) -> Path:
    return from_file(store, store.add(data), "linux.tar")


@pytest.mark.parametrize("compression", ["", ".gz", ".xz", ".zst"])
def test_tarballs(store: Store, compression: str) -> None:
    data = tarball(FILES, compression, {"scripts/dtc/include": "../../Kconfig"})
    directory = laid_out(store, data)
    assert {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()} == {
        *FILES,
        "scripts/dtc/include",
    }
    assert (directory / "scripts/setlocalversion").stat().st_mode & 0o777 == 0o755
    assert release_of(directory) == "6.12.118"
    assert laid_out(store, data) == directory
    assert list((store.root / "tmp").iterdir()) == []


def test_release_candidates_and_short_versions(store: Store) -> None:
    text = b"VERSION = 6\nPATCHLEVEL = 18\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n"
    assert release_of(laid_out(store, tarball({**FILES, "Makefile": text}))) == "6.18.0-rc3"


def test_debians_package(store: Store) -> None:
    package = deb("linux-source-6.12", item("./usr/src/linux-source-6.12.tar.xz", tarball(FILES)))
    digest = store.add(package)
    assert release_of(from_package(store, digest, "linux-source-6.12")) == "6.12.118"


def test_a_package_without_a_source(store: Store) -> None:
    digest = store.add(deb("linux-source", item("./usr/share/doc/linux-source/copyright")))
    with pytest.raises(SourceError, match="no kernel's source") as caught:
        from_package(store, digest, "linux-source")
    assert "linux-source-VERSION" in caught.value.hint


def test_what_is_no_kernel(store: Store) -> None:
    with pytest.raises(SourceError, match="no kernel's source") as caught:
        laid_out(store, tarball({"Makefile": b""}))
    assert caught.value.why == "it has no Kconfig"


@pytest.mark.parametrize(
    "data", [tarball(FILES)[:-40], b"\xfd7zXZ\0garbage", b"\x1f\x8b\x08garbage", b"BZh9", b"", b"no tar at all"]
)
def test_damage(store: Store, data: bytes) -> None:
    with pytest.raises(AssembleError):
        laid_out(store, data)
    assert list((store.root / "tmp").iterdir()) == []
    assert not list((store.root / "derived").glob("kernel-source-1/*"))


def test_nothing_is_written_outside(store: Store, tmp_path: Path) -> None:
    with pytest.raises(TarError):
        laid_out(store, tarball({**FILES, "../../outside": b"x"}))
    for target in (str(tmp_path), "..", "a/../../x"):
        with pytest.raises(TarError, match="leads out of the archive"):
            laid_out(store, tarball(FILES, links={"into": target}))
    with pytest.raises(TarError, match="contradicts itself"):
        laid_out(store, tarball({**FILES, "into/outside": b"x"}, links={"into": "scripts"}))
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("target", ["../Makefile", ".././Makefile", "./../Makefile", "..//.//Makefile"])
def test_a_link_inside_is_one_however_it_is_written(store: Store, target: str) -> None:
    """As one below the kernel's own selftests."""
    directory = laid_out(store, tarball(FILES, links={"scripts/up": target}))
    assert (directory / "scripts/up").resolve() == (directory / "Makefile").resolve()
    for more in ("./../" + target, ".././../" + target.removeprefix("./")):
        with pytest.raises(TarError, match="leads out of the archive"):
            laid_out(store, tarball(FILES, links={"scripts/up": more}))


def test_two_directories_at_the_top(store: Store) -> None:
    data = tar([item("linux/Makefile"), item("other/Makefile")])
    with pytest.raises(TarError, match="more than one directory"):
        laid_out(store, data)


def test_what_a_source_needs(store: Store) -> None:
    for name in ("Makefile", "Kconfig", "scripts/Makefile.build"):
        some = {path: data for path, data in FILES.items() if path != name}
        with pytest.raises(SourceError) as caught:
            laid_out(store, tarball(some))
        assert (caught.value.what, caught.value.why) == ("this is no kernel's source", f"it has no {name}")
        assert caught.value.where.file == "linux.tar"


def test_one_source_in_a_package(store: Store) -> None:
    first, second = "./usr/src/linux-source-6.12.tar.xz", "./usr/src/linux-source-6.13.tar.zst"
    other = "./usr/src/linux-source-6.12/x.tar.xz"
    for names in ((first, second), (other,), ("./usr/src/linux-source-6.12.tar.bz2",)):
        package = deb("linux-source", *(item(name, tarball(FILES)) for name in names))
        with pytest.raises(SourceError) as caught:
            from_package(store, store.add(package), "linux-source")
        assert caught.value.why == "there is not one /usr/src/linux-source-*.tar.* in it"
        assert caught.value.where.package == "linux-source"
    package = deb("linux-source", item(first, tarball(FILES)), item(other, b"x"))
    reporter = Recorder()
    directory = from_package(store, store.add(package), "linux-source", reporter)
    size = len(tarball(FILES))
    assert (reporter.steps, reporter.advanced) == ([("kernel source", size)], size)
    assert release_of(directory) == "6.12.118"


def test_a_source_that_unpacks_to_too_much(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tarball(FILES)
    size = len(tarball(FILES, ""))
    monkeypatch.setattr("assembler.kernel.source.Limits", lambda: Limits(unpacked=size - 1))
    with pytest.raises(SourceError) as caught:
        laid_out(store, data)
    assert (caught.value.what, caught.value.where.file) == ("the source unpacks to too much", "linux.tar")
    monkeypatch.setattr("assembler.kernel.source.Limits", lambda: Limits(unpacked=size))
    assert release_of(laid_out(store, data)) == "6.12.118"


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("VERSION=6\nPATCHLEVEL\t=1\n", "6"),
        ("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL =\nEXTRAVERSION = -x y\n", "6.1-x"),
        (" VERSION = 6\nPATCHLEVEL = 1\n", "1"),
        ("#\n" * 2042 + "VERSION = 6\n", "6"),
        ("#\n" * 2048 + "VERSION = 6\n", ""),
        ("", ""),
    ],
)
def test_versions_of_sources(tmp_path: Path, text: str, release: str) -> None:
    (tmp_path / "Makefile").write_text(text)
    assert release_of(tmp_path) == release
