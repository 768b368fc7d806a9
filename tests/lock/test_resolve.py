"""From a recipe to a lock to the packages in the store, against archives made here and against the real one."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assembler.architecture import AMD64, ARCHITECTURES, ARM64
from assembler.boot.loaders import LIVE
from assembler.debian import mirrors
from assembler.debian.fetch import fetch_packages
from assembler.debian.release import ReleaseError
from assembler.errors import AssembleError, Problems
from assembler.lock.check import require
from assembler.lock.compilers import for_modules
from assembler.lock.resolve import resolve
from assembler.lock.wanted import INITRD
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import COMPILING, ROLES, Lock
from assembler.lockfile.toml import format_lock, parse_lock
from assembler.recipe.model import Debian, Kernel, KernelModule, Recipe, Rootfs
from assembler.store.download import OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.debian.archives import NOW, date, fingerprint, index, laid_out, release, signed, source, stanza
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Server

OTHERS = sorted({*INITRD, *(name for each in ARCHITECTURES.values() for name in LIVE.packages(each))})


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01, attempts=2) as it:
        yield it


def deb(name: str, version: str = "1.0") -> bytes:
    """Not a package, but bytes that differ from package to package."""
    return f"{name} {version}".encode()


def recipe(*packages: str, sources: str = "", epoch: int | None = None) -> Recipe:
    return Recipe(
        name="x",
        epoch=epoch,
        debian=Debian(sources=sources or source()),
        kernel=Kernel(package="linux-image"),
        rootfs=Rootfs(packages=list(packages)),
    )


def publish_suite(
    server: Server, suite: str, stanzas: Mapping[str, Mapping[str, str]], *, root: str = "/debian", **fields: str
) -> None:
    """Serve a suite with these packages, whose fields may say more than usual, and their .debs."""
    for path, data in suite_files(suite, stanzas, fields).items():
        server.serve(f"{root}{path}", data)


def suite_files(
    suite: str,
    stanzas: Mapping[str, Mapping[str, str]],
    fields: Mapping[str, str],
    *,
    debs: Mapping[str, bytes] | None = None,
    key: str = "archive",
) -> dict[str, bytes]:
    """The files of an archive with one suite, whose Release has `fields` and is signed with `key`, by path.

    `debs` has real packages for some of the names.
    """
    texts, found = [], {}
    for name, extra in stanzas.items():
        version = extra.get("Version", "1.0")
        data = (debs or {}).get(name) or deb(name, version)
        texts.append(stanza(name, data, **extra))
        found[f"/pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb"] = data
    files = index(texts)
    text = release(files, **{"Codename": suite, "Suite": suite, **fields})
    return found | laid_out(files, signed(text, key), suite=suite)


def base(**more: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """The packages that every lock needs, and some more."""
    plain: dict[str, Mapping[str, str]] = {name: {} for name in OTHERS}
    return plain | {"linux-image": {}, "init": {"Essential": "yes"}} | more


def lock(
    it: Recipe, server: Server, store: Store, transport: Transport, *, previous: Lock | None = None, now: datetime = NOW
) -> Lock:
    return resolve(
        it,
        "a" * 64,
        transport=transport,
        store=store,
        mirrors=where(server),
        now=now,
        tools=LOCK.tools,
        previous=previous,
    )


def where(server: Server, root: str = "/debian") -> mirrors.Mirrors:
    return mirrors.Mirrors({"debian": (server.url(root),), "debian-security": (server.url(f"{root}-security"),)})


def names(it: Lock, role: str) -> list[str]:
    return [package.name for package in it.role(role)]


def test_roles(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base(hello={"Depends": "libhello"}, libhello={}, other={}))
    found = lock(recipe("hello", "e2fsprogs"), server, store, transport)
    assert names(found, "rootfs") == ["e2fsprogs", "hello", "init", "libhello", "linux-image"]
    assert names(found, "initrd") == sorted(INITRD)
    assert names(found, "boot") == sorted(LIVE.packages(AMD64))
    (e2fsprogs,) = (package for package in found.packages if package.name == "e2fsprogs")
    assert e2fsprogs.roles == ("initrd", "rootfs")
    assert parse_lock(format_lock(found), "x") == found


COMPILERS: dict[str, Mapping[str, str]] = {
    name: {} for name in (*for_modules(AMD64, AMD64, "gcc-14"), *for_modules(ARM64, AMD64, "gcc-14"))
}


def with_modules(**kernel: Any) -> Recipe:
    modules = [KernelModule(package="a-dkms"), KernelModule(url="https://example.org/b.tar.gz", sha256="b" * 64)]
    return recipe("hello").model_copy(update={"kernel": Kernel(**{"modules": modules[:1], **kernel})})


def headers(compiler: str = "gcc-14") -> dict[str, Mapping[str, str]]:
    """What goes with a kernel, as Debian has it."""
    needs = f"linux-headers-6.1-common, linux-kbuild-6.1, linux-image-6.1-x, {compiler}"
    return {
        "linux-image-x": {"Depends": "linux-image-6.1-x"},
        "linux-image-6.1-x": {},
        "linux-headers-x": {"Depends": "linux-headers-6.1-x"},
        "linux-headers-6.1-x": {"Depends": needs},
        "linux-headers-6.1-common": {},
        "linux-kbuild-6.1": {"Depends": "libelf"},
        "libelf": {},
        "a-dkms": {"Depends": "dkms"},
        "dkms": {},
        "hello": {},
        **COMPILERS,
    }


@pytest.mark.parametrize("package", ["linux-image-x", "linux-image-6.1-x"])
def test_what_modules_are_compiled_with(server: Server, store: Store, transport: Transport, package: str) -> None:
    publish_suite(server, "trixie", base(**headers()))
    it = with_modules(package=package)
    found = lock(it, server, store, transport)
    assert names(found, "modules") == ["a-dkms"]
    qualified = with_modules(package=package, modules=[KernelModule(package="a-dkms:amd64")])
    assert lock(qualified, server, store, transport).packages == found.packages
    meta = {"linux-headers-x"} if package == "linux-image-x" else set()
    assert set(names(found, "headers")) == {"linux-headers-6.1-common", "linux-headers-6.1-x", *meta}
    compiler = names(found, "compiler")
    assert {"gcc-14", "linux-kbuild-6.1", "libelf", "make"} <= set(compiler)
    # Neither dkms nor, among the tools, the kernel itself.
    assert not {"dkms", "linux-image-6.1-x", "linux-headers-6.1-x"} & {*compiler, *names(found, "modules")}
    assert "dkms" not in {each.name for each in found.packages}
    require(found, it, found.recipe_sha256, build_architecture="amd64", path=Path("x.lock.toml"))
    # What is compiled with is in no image.
    assert {role for each in found.packages if each.name == "make" for role in each.roles} == {"compiler"}
    without = lock(recipe("hello").model_copy(update={"kernel": Kernel(package=package)}), server, store, transport)
    assert not names(without, "compiler") + names(without, "headers") + names(without, "modules")
    changed = recipe("hello").model_copy(update={"kernel": Kernel(package=package)})
    with pytest.raises(Problems, match="the recipe wants nothing for compiler"):
        require(found, changed, found.recipe_sha256, build_architecture="amd64", path=Path("x.lock.toml"))


@pytest.mark.parametrize(
    ("compiler", "why"), [("make", "it needs none"), ("gcc-14, gcc-13", "it needs gcc-13, gcc-14")]
)
def test_headers_that_do_not_say_their_compiler(
    server: Server, store: Store, transport: Transport, compiler: str, why: str
) -> None:
    publish_suite(server, "trixie", base(**headers(compiler), **{"gcc-13": {}}))
    with pytest.raises(LockError, match="linux-headers-x does not say which compiler made the kernel") as caught:
        lock(with_modules(package="linux-image-x"), server, store, transport)
    assert caught.value.why == why


def test_a_kernel_that_is_compiled_needs_no_headers(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base(**headers(), **{"linux-source-6.1": {}}))
    it = with_modules(source="vanilla", package="linux-source-6.1")
    found = lock(it, server, store, transport)
    assert names(found, "modules") == ["a-dkms"]
    assert not names(found, "compiler") + names(found, "headers")


def test_what_the_lock_says_of_archives(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base(hello={}), Date=date(NOW - timedelta(days=3)), Valid_Until="")
    newer = {"hello": {"Version": "1.1", "Source": "greet (2.0)"}}
    security = "trixie-security"
    publish_suite(server, security, newer, root="/debian-security", Components="updates/main")
    sources = source() + "\n" + source(suite=security)
    found = lock(recipe("hello", sources=sources), server, store, transport)
    first, second = found.archives
    assert (first.id, first.root, first.date, first.valid_until) == ("trixie", "debian", "2026-11-19T12:00:00Z", "")
    assert (second.id, second.root) == (security, "debian-security")
    assert second.signed_by == (fingerprint(),)
    assert [item.path for item in second.indices] == ["main/binary-amd64/Packages.xz"]
    assert store.has(second.inrelease_sha256), "the signed text is kept, for whoever wants to check it"
    (hello,) = (package for package in found.packages if package.name == "hello")
    assert (hello.version, hello.archive, hello.source, hello.source_version) == ("1.1", security, "greet", "2.0")
    assert found.source_date_epoch == int((NOW - timedelta(days=1)).timestamp()), "the newest of both"
    assert lock(recipe("hello", epoch=7), server, store, transport).source_date_epoch == 7


def test_a_lock_names_no_host_and_is_the_same_anywhere(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base())
    first = format_lock(lock(recipe(), server, store, transport))
    assert "127.0.0.1" not in first
    asked = len(server.seen)
    assert format_lock(lock(recipe(), server, store, transport, now=NOW + timedelta(days=1))) == first
    assert len(server.seen) == asked + 1, "of the archive, only InRelease is fetched again"


def test_an_archive_may_not_go_back(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base())
    found = lock(recipe(), server, store, transport)
    publish_suite(server, "trixie", base(hello={}), Date=date(NOW - timedelta(days=2)))
    with pytest.raises(ReleaseError, match="older than the one in the lock"):
        lock(recipe(), server, store, transport, previous=found)
    lock(recipe(), server, store, transport)


def test_a_package_that_is_not_there(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base())
    with pytest.raises(AssembleError, match="nonsense"):
        lock(recipe("nonsense"), server, store, transport)


@pytest.mark.parametrize(
    "odd",
    [
        {"SHA256": "../../../../etc/passwd"},
        {"SHA256": "f" * 63},
        {"Filename": "../../x"},
        {"Filename": "/etc/passwd"},
        {"Filename": "a\x1b]0;b\x07"},
        {"Size": "-1"},
        {"Size": "0"},
        {"Version": "../1"},
        {"Source": "a\x1b (1)"},
    ],
)
def test_odd_values_of_a_signed_archive_enter_no_lock(
    server: Server, store: Store, transport: Transport, odd: dict[str, str]
) -> None:
    """Whoever signed them; and what is not wanted does no harm."""
    publish_suite(server, "trixie", base(hello={}, other=odd))
    assert names(lock(recipe("hello"), server, store, transport), "rootfs") == ["hello", "init", "linux-image"]
    with pytest.raises(AssembleError, match=r"values that are not valid|the package index is damaged"):
        lock(recipe("hello", "other"), server, store, transport)


def test_packages_are_fetched_once(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base(hello={}))
    found = lock(recipe("hello"), server, store, transport)
    for _ in range(2):
        fetch_packages(found.packages, found.archives, store=store, transport=transport, mirrors=where(server))
    assert store.path(found.role("rootfs")[0].sha256).read_bytes() == deb("hello")
    assert len([path for path, _ in server.seen if path.endswith(".deb")]) == len(found.packages)
    with Transport(offline=True) as offline:
        fetch_packages(found.packages, found.archives, store=store, transport=offline, mirrors=where(server))
        empty = Store(store.root / "empty")
        with pytest.raises(OfflineError) as caught:
            fetch_packages(found.role("rootfs"), found.archives, store=empty, transport=offline, mirrors=where(server))
    assert caught.value.details[0].startswith("hello_1.0_amd64.deb (9 bytes, sha256 ")


def test_a_dropped_package_is_looked_for_in_the_snapshot(server: Server, store: Store, transport: Transport) -> None:
    publish_suite(server, "trixie", base(hello={}))
    found = lock(recipe("hello"), server, store, transport)
    hello = found.role("rootfs")[:1]
    empty = replace(where(server, "/empty"), snapshots=(server.url("/archive"),))
    with pytest.raises(TransportError, match="it is not there") as caught:
        fetch_packages(hello, found.archives, store=store, transport=transport, mirrors=empty)
    assert "assemble lock" in caught.value.hint
    server.serve("/archive/debian/20261122T000000Z/pool/main/h/hello/hello_1.0_amd64.deb", deb("hello"))
    fetch_packages(hello, found.archives, store=store, transport=transport, mirrors=empty)
    assert store.has(hello[0].sha256)


def test_the_real_archive_is_locked_in_seconds(store: Store) -> None:
    it = Recipe(name="x", rootfs=Rootfs(packages=["openssh-server", "systemd-sysv", "containerd"]))
    now = datetime.now(UTC)
    began = time.process_time()
    with Transport() as transport:
        found = resolve(
            it,
            "a" * 64,
            transport=transport,
            store=store,
            mirrors=mirrors.choose(it.debian),
            now=now,
            tools=LOCK.tools,
        )
    assert time.process_time() - began < 10, "seconds of a processor"
    assert {archive.id for archive in found.archives} == {"trixie", "trixie-security", "trixie-updates"}
    assert {"openssh-server", "systemd", "runc", "libc6", "base-files"} < set(names(found, "rootfs"))
    assert {role for role in ROLES if found.role(role)} == set(ROLES) - {"kernel-source", "modules", *COMPILING}
    assert abs(datetime.fromtimestamp(found.source_date_epoch, UTC) - now) < timedelta(days=100)
