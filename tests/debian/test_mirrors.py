"""Choosing mirrors: the recipe, the override, the host, the built-in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from assembler.debian.mirrors import BUILT_IN, choose, join
from assembler.errors import AssembleError
from assembler.recipe.model import Debian


def host(root: Path, **files: str) -> Path:
    directory = root / "etc/apt/sources.list.d"
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)
    return root


def test_the_built_in_ones_are_last_and_may_be_alone(tmp_path: Path) -> None:
    assert choose(Debian(), host=None).roots == {root: (base,) for root, base in BUILT_IN.items()}
    assert choose(Debian(), host=tmp_path).roots == choose(Debian(), host=None).roots


def test_the_order(tmp_path: Path) -> None:
    apt = host(tmp_path, x_list="deb http://host.example/debian trixie main\n")
    debian = Debian(mirror="https://recipe.example/debian/", mirror_security="https://recipe.example/sec/")
    found = choose(debian, override="http://override.example/mirrors/debian", host=apt)
    assert found.bases("debian") == (
        "https://recipe.example/debian",
        "http://override.example/mirrors/debian",
        "http://host.example/debian",
        BUILT_IN["debian"],
    )
    assert found.bases("debian-security") == (
        "https://recipe.example/sec",
        "https://recipe.example/debian-security",
        "http://override.example/mirrors/debian-security",
        BUILT_IN["debian-security"],
    )
    assert found.bases("https://third.example/apt") == ("https://third.example/apt",)


def test_the_hosts_sources_of_any_suite(tmp_path: Path) -> None:
    apt = host(
        tmp_path,
        a_list="# deb http://comment.example/debian sid main\n"
        "deb [arch=amd64 signed-by=/x.gpg]  http://one.example/debian/ bookworm main contrib # here\n"
        "deb-src http://src.example/debian bookworm main\n"
        "deb http://one.example/debian bookworm-updates main\n"
        "deb cdrom:[Debian]/ bookworm main\n"
        "deb file:/srv/debian bookworm main\n"
        "deb https://docker.example/linux/debian bookworm stable\n"
        "deb http://archive.example/ubuntu jammy main\n"
        "garbage\n",
        b_sources="Types: deb\nURIs: http://two.example/debian mirror+file:/x http://two.example/debian-security\n"
        "Suites: bookworm\nComponents: main\n\n"
        "Types: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n\n"
        "Types: deb-src\nURIs: http://src.example/debian\nSuites: bookworm\nComponents: main\n",
        c_sources="not deb822\n",
        d_save="deb http://old.example/debian bookworm main\n",
    )
    (tmp_path / "etc/apt/sources.list").write_bytes(b"deb http://zero.example/debian sid main\n\xff\xfe\n")
    found = choose(Debian(), host=apt)
    assert found.bases("debian") == (
        "http://zero.example/debian",
        "http://one.example/debian",
        "http://two.example/debian",
        BUILT_IN["debian"],
    )
    assert found.bases("debian-security") == ("http://two.example/debian-security", BUILT_IN["debian-security"])


def test_addresses_that_are_none() -> None:
    with pytest.raises(AssembleError, match=r"ASSEMBLE_MIRROR is not an http or https address: mirror.example"):
        choose(Debian(), override="mirror.example", host=None)
    for address in ("ftp://me:hunter2@mirror.example/debian", "https://mirror.example/debian?key=hunter2"):
        with pytest.raises(AssembleError, match=r"is not an http or https address: \w+://") as caught:
            choose(Debian(), override=address, host=None)
        assert "hunter2" not in str(caught.value)


def test_snapshots() -> None:
    mirrors = choose(Debian(), snapshots=("https://near.example/archive/",), host=None)
    moment = datetime(2026, 9, 12, 20, 30, tzinfo=UTC)
    first, second, *_ = mirrors.snapshot("debian-security", moment)
    assert first == "https://near.example/archive/debian-security/20260913T083000Z"
    assert second == "http://snapshot.debian.org/archive/debian-security/20260913T083000Z"
    assert not mirrors.snapshot("https://third.example/apt", moment)
    with pytest.raises(AssembleError, match="ASSEMBLE_SNAPSHOT is not an http or https address"):
        choose(Debian(), snapshots=("near",), host=None)


def test_join() -> None:
    assert join("http://x/debian", "dists", "sid/", "/InRelease") == "http://x/debian/dists/sid/InRelease"
