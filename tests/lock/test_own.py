"""Packages that a recipe brings itself, and archives in directories: locked, proved, and found again elsewhere."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler.audit.rebuild import with_debs
from assembler.debian.fetch import fetch_packages
from assembler.debian.mirrors import Mirrors
from assembler.errors import AssembleError, Problems
from assembler.image.sbom import package_url
from assembler.layers.apt import SOURCES, with_archives
from assembler.lock.check import not_allowed, require
from assembler.lock.resolve import resolve
from assembler.lock.trust import prove
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedPackage
from assembler.lockfile.toml import format_lock, parse_lock
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import RECIPE, portable
from assembler.store.download import TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.debian.archives import NOW, certificate, release, signed, source, stanza
from tests.debian.debs import deb
from tests.lock.test_resolve import base, publish_suite, where
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Server

SECOND = "vendor"


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01, attempts=1) as it:
        yield it


class House:
    """Debian's archive, and a recipe's directory with files beside it."""

    def __init__(self, directory: Path, server: Server, store: Store, transport: Transport) -> None:
        self.directory, self.server, self.store, self.transport = directory, server, store, transport
        publish_suite(server, "trixie", base(needed={"Version": "2.0"}, tool={"Version": "5"}, other={}))

    def put(self, name: str, data: bytes) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def load(self, debian: str, *packages: str, more: str = "") -> LoadedRecipe:
        wanted = ", ".join(f'"{package}"' for package in packages)
        head = f'name = "x"\nkernel.package = "linux-image"\nrootfs.packages = [{wanted}]\n{more}\n[debian]\n'
        self.put("r.toml", f"{head}{debian}sources = '''\n{source()}'''\n".encode())
        return load(self.directory / "r.toml")

    def mirrors(self, loaded: LoadedRecipe) -> Mirrors:
        return replace(where(self.server), local=loaded.local)

    def means(self, loaded: LoadedRecipe) -> dict[str, Any]:
        return {"transport": self.transport, "store": self.store, "mirrors": self.mirrors(loaded)}

    def lock(self, loaded: LoadedRecipe, previous: Lock | None = None, upgrade: tuple[str, ...] | None = None) -> Lock:
        with loaded.discreet():
            return resolve(
                loaded.recipe,
                loaded.inputs_sha256,
                **self.means(loaded),
                now=NOW,
                tools=LOCK.tools,
                previous=previous,
                upgrade=upgrade,
            )

    def whole(self, loaded: LoadedRecipe) -> Lock:
        """The lock, when its text is read back, allowed by the recipe and proved."""
        found = self.lock(loaded)
        assert parse_lock(format_lock(found), "x.lock.toml") == found
        self.require(found, loaded)
        assert self.prove(found, loaded) == len(found.packages)
        return found

    def require(self, lock: Lock, loaded: LoadedRecipe) -> None:
        path = Path("x.lock.toml")
        require(lock, loaded.recipe, loaded.inputs_sha256, build_architecture="amd64", path=path)

    def prove(self, lock: Lock, loaded: LoadedRecipe) -> int:
        return prove(lock, loaded.recipe, file="x.lock.toml", **self.means(loaded), now=NOW)

    def fetch(self, lock: Lock, loaded: LoadedRecipe) -> None:
        own = [package for package in lock.packages if not package.archive]
        fetch_packages(own, (), **self.means(loaded))

    def wrong(self, debian: str, *packages: str, more: str = "") -> list[str]:
        """What is wrong when it is locked, as people read it."""
        with pytest.raises(AssembleError) as caught:
            self.lock(self.load(debian, *packages, more=more))
        errors = caught.value.errors if isinstance(caught.value, Problems) else [caught.value]
        return [str(error).replace(f"{self.directory}/", "") for error in errors]


@pytest.fixture
def house(tmp_path: Path, server: Server, store: Store, transport: Transport) -> House:
    return House(tmp_path / "project", server, store, transport)


def chosen(lock: Lock) -> Mapping[str, LockedPackage]:
    return {package.name: package for package in lock.role("rootfs")}


ONE = 'debs = [{ path = "vendor/tool.deb" }]\n'


def test_a_deb_is_installed_with_what_it_needs_and_comes_before_the_archives(house: House) -> None:
    house.put("vendor/tool.deb", deb("tool", Version="1:0.5", Depends="needed (>= 2)", Source="tools (0.4)"))
    loaded = house.load(ONE)
    found = house.whole(loaded)
    tool = chosen(found)["tool"]
    assert (tool.version, tool.architecture, tool.source, tool.source_version) == ("1:0.5", "all", "tools", "0.4")
    assert (tool.archive, tool.path, tool.url, tool.why) == ("", "tool.deb", "", "requested")
    assert chosen(found)["needed"].why == "for tool"
    assert 'learned = "recipe"' in format_lock(found)
    assert house.store.sound(tool.sha256)
    purl = package_url(tool, found.archives)
    assert purl.startswith("pkg:generic/tool@1:0.5?arch=all&checksum=sha256:")
    assert purl.endswith("file_name=tool.deb")
    # As apt has it: named in rootfs.packages as well, it is still that very version.
    assert chosen(house.whole(house.load(ONE, "tool", "other")))["tool"].version == "1:0.5"
    assert chosen(house.whole(house.load("", "tool")))["tool"].version == "5"


def test_a_deb_by_its_address(house: House) -> None:
    data = deb("agent", Architecture="amd64", Version="2")
    house.server.serve("/agent%20x.deb", data)
    digest = house.store.add(data)
    house.store.path(digest).unlink()
    address = house.server.url("/agent%20x.deb")
    given = f'debs = [{{ url = "{address}", sha256 = "{digest}" }}]\n'
    found = house.whole(house.load(given))
    agent = chosen(found)["agent"]
    assert (agent.url, agent.path) == (address, "agent x.deb")
    assert "download_url=http" in package_url(agent, found.archives)
    house.store.path(digest).unlink()
    house.fetch(found, house.load(given))
    assert house.store.sound(digest)
    moved = house.load(given.replace("/agent", "/other"))
    assert [what for _, what, _ in not_allowed(found, moved.recipe)] == ["the recipe does not bring this package"]
    house.store.path(digest).unlink()
    house.server.serve("/agent%20x.deb", b"other")
    (message,) = house.wrong(given)
    assert message.startswith("r.toml:6:11 debian.debs[0].url: agent%20x.deb cannot be fetched")


def test_a_directory_is_chosen_from_as_an_archive(house: House) -> None:
    house.put("repo/a/tool_6_all.deb", deb("tool", Version="6", Depends="helper (= 1)"))
    house.put("repo/helper.deb", deb("helper"))
    house.put("repo/needed.deb", deb("needed", Version="1"))
    house.put("repo/foreign.deb", deb("tool", Version="7", Architecture="i386"))
    house.put("repo/unused.deb", deb("unused"))
    given = 'archives = [{ path = "repo" }]\n'
    found = house.whole(house.load(given, "tool", "needed"))
    packages = {name: (each.version, each.archive, each.path) for name, each in chosen(found).items()}
    assert packages["tool"] == ("6", "", "a/tool_6_all.deb")
    assert packages["helper"] == ("1", "", "helper.deb")
    assert packages["needed"][:2] == ("2.0", "trixie")
    assert "unused" not in packages
    # A pin for what is in files of this machine, which is no mirror either.
    pinned = 'pins = [{ packages = ["tool"], pin = \'origin ""\', priority = -1 }]\n'
    assert chosen(house.whole(house.load(given + pinned, "tool")))["tool"].version == "5"
    limited = 'archives = [{ path = "repo", architectures = ["amd64"] }]\n'
    assert chosen(house.whole(house.load(limited, "tool")))["tool"].version == "5"


def test_what_is_brought_is_not_held(house: House) -> None:
    """The archives' packages stay as they are locked; a recipe's own are as they are there."""
    house.put("repo/tool_6.deb", deb("tool", Version="6"))
    given = 'archives = [{ path = "repo" }]\n'
    first = house.lock(house.load(given, "tool", "needed"))
    publish_suite(house.server, "trixie", base(needed={"Version": "3.0"}, tool={"Version": "5"}))
    house.put("repo/tool_7.deb", deb("tool", Version="7"))
    changed = house.load(given, "tool", "needed")
    with pytest.raises(LockError, match="the recipe has changed since it was locked"):
        house.require(first, changed)
    again = chosen(house.lock(changed, first, ()))
    assert (again["tool"].version, again["needed"].version) == ("7", "2.0")


def test_a_file_that_has_changed_is_told(house: House) -> None:
    house.put("vendor/tool.deb", deb("tool"))
    found = house.lock(house.load(ONE))
    house.put("vendor/tool.deb", deb("tool", Depends="needed"))
    with pytest.raises(LockError, match="packages that the recipe brings have changed since it was locked") as caught:
        house.require(found, house.load(ONE))
    assert caught.value.why == "tool.deb: another file than the lock names"
    assert caught.value.hint == "run `assemble lock` to lock it again"


@pytest.mark.parametrize(
    ("fields", "packages", "more", "message"),
    [
        (
            {"Architecture": "i386"}, (), "",
            "tool is of architecture i386, but the image is of amd64 (an image has packages of one architecture;",
        ),
        ({"Depends": "nothing"}, (), "", "tool: needs nothing, not available"),
        ({"Depends": "needed (>> 3)"}, (), "", "tool: needs needed (>> 3), of which there is only 2.0"),
        ({}, ("tool=5",), "", "it is tool 1, and rootfs.packages has 'tool=5' (ask for one of them)"),
        ({}, ("tool/trixie",), "", "it is tool 1, and rootfs.packages has 'tool/trixie' (ask for one of them)"),
        ({"Package": "containerd"}, (), "kubernetes.version = '1.36'", "the Kubernetes layer takes containerd from"),
        ({"Package": "Tool"}, (), "", "the package's name is not allowed: vendor/tool.deb: 'Tool'"),
        ({"Source": "../x"}, (), "", "its Source is '../x'"),
        ({"Essential": "yes", "Conflicts": "init"}, (), "", "tool: conflicts with init"),
    ],
)  # fmt: skip
def test_what_cannot_be_installed(
    house: House, fields: dict[str, str], packages: tuple[str, ...], more: str, message: str
) -> None:
    name = fields.pop("Package", "tool")
    house.put("vendor/tool.deb", deb(name, files=None, **fields))
    (found,) = house.wrong(ONE, *packages, more=more)
    assert message in found


def test_a_version_that_it_has_may_be_asked_for(house: House) -> None:
    house.put("vendor/tool.deb", deb("tool", Version="1.5"))
    for version in ("1.5", "1.*"):
        assert chosen(house.lock(house.load(ONE, f"tool={version}")))["tool"].version == "1.5"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no package", "not a Debian package: vendor/tool.deb: it does not begin as an ar archive"),
        (b"", "not a Debian package: vendor/tool.deb"),
        (deb("tool")[:120], "the package is damaged: vendor/tool.deb: no ar header at byte 72"),
    ],
)
def test_what_is_no_package(house: House, data: bytes, message: str) -> None:
    house.put("vendor/tool.deb", data)
    (found,) = house.wrong(ONE)
    assert found.startswith(f"r.toml:6:11 debian.debs[0].path: {message}")
    (found,) = house.wrong('archives = [{ path = "vendor" }]\n')
    assert found.startswith("r.toml:6:15 debian.archives[0].path: ")
    assert "tool.deb" in found


def test_two_of_one_name_are_told_and_pins_do_not_keep_one_away(house: House) -> None:
    house.put("a.deb", deb("tool"))
    house.put("b.deb", deb("tool", Version="2"))
    (found,) = house.wrong('debs = [{ path = "a.deb" }, { path = "b.deb" }]\n')
    assert found == (
        "r.toml:6:31 debian.debs[1].path: another .deb of tool is given, too: that is version 1, and this 2 "
        "(leave one of them out)"
    )
    given = 'debs = [{ path = "a.deb" }]\npins = [{ packages = ["tool"], pin = "version 1", priority = -1 }]\n'
    assert chosen(house.lock(house.load(given)))["tool"].version == "1"


def test_the_same_file_twice_is_one(house: House) -> None:
    house.put("repo/tool.deb", deb("tool"))
    given = 'debs = [{ path = "repo/tool.deb" }]\narchives = [{ path = "repo" }]\n'
    assert chosen(house.whole(house.load(given)))["tool"].version == "1"


def test_elsewhere_the_store_has_it_or_the_file_does(house: House, tmp_path: Path) -> None:
    """What is on an image has the digests alone."""
    house.put("vendor/tool.deb", deb("tool"))
    house.put("repo/x/more.deb", deb("more"))
    loaded = house.load(f'{ONE}archives = [{{ path = "repo" }}]\n', "more")
    found = house.lock(loaded)
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / RECIPE).write_bytes(portable(loaded)[RECIPE])
    there = load(medium / RECIPE)
    house.require(found, there)
    house.fetch(found, there)
    for package in (chosen(found)[name] for name in ("tool", "more")):
        house.store.path(package.sha256).unlink()
    with pytest.raises(TransportError, match="2 packages of the recipe's own are not here") as caught:
        house.fetch(found, there)
    tool = chosen(found)["tool"]
    assert f"tool.deb (sha256 {tool.sha256})" in caught.value.details
    assert "beside an image that is built again" in caught.value.hint
    # Beside the image, or beside the recipe.
    (tmp_path / "more.deb").write_bytes(deb("more"))
    (tmp_path / "tool.deb").write_bytes(b"another file of that name")
    with pytest.raises(TransportError, match=r"tool\.deb has other bytes than the lock names"):
        house.fetch(found, with_debs(there, tmp_path))
    (tmp_path / "tool.deb").unlink()
    (medium / "tool.deb").write_bytes(deb("tool"))
    house.fetch(found, with_debs(load(medium / RECIPE), tmp_path))
    assert house.prove(found, load(medium / RECIPE)) == len(found.packages)


def test_without_the_network(house: House, store: Store) -> None:
    house.put("vendor/tool.deb", deb("tool"))
    loaded = house.load(ONE)
    found = house.lock(loaded)
    store.path(chosen(found)["tool"].sha256).unlink()
    with Transport(offline=True) as offline:
        house.transport = offline
        house.fetch(found, loaded)
    assert store.sound(chosen(found)["tool"].sha256)


def test_what_a_lock_may_not_say(house: House) -> None:
    house.put("vendor/tool.deb", deb("tool", Depends="needed"))
    loaded = house.load(ONE)
    found = house.lock(loaded)
    tool = chosen(found)["tool"]

    def lying(**other: Any) -> Lock:
        packages = tuple(replace(each, **other) if each is tool else each for each in found.packages)
        return replace(found, packages=packages)

    for other in ({"sha256": "0" * 64}, {"path": "other.deb"}, {"url": "https://a/b"}):
        with pytest.raises(Problems, match="the recipe does not bring this package"):
            house.require(lying(**other), loaded)
    with pytest.raises(Problems, match="a package is missing that the recipe installs"):
        house.require(replace(found, packages=tuple(each for each in found.packages if each is not tool)), loaded)
    claims: list[dict[str, Any]] = [
        {"version": "2"}, {"size": 1}, {"source": "x"}, {"name": "other"}, {"architecture": "amd64"},
    ]  # fmt: skip
    for claim in claims:
        with pytest.raises(AssembleError):
            house.prove(lying(**claim), loaded)
    needed = tuple(each for each in found.packages if each.name != "needed")
    with pytest.raises(LockError, match="a package that the recipe leads to is missing"):
        house.prove(replace(found, packages=needed), loaded)


def flat(directory: Path, key: str = SECOND, *, sign: bool = True) -> None:
    data = deb("tool", Version="6")
    text = stanza("tool", data, Version="6", Architecture="all", Filename="./tool.deb")
    absent = {"Suite": "", "Codename": "", "Components": "", "Architectures": "", "Acquire-By-Hash": ""}
    (directory / "tool.deb").write_bytes(data)
    (directory / "Packages").write_text(text)
    name, body = "Release", release({"Packages": text.encode()}, **absent).encode()
    if sign:
        name, body = "InRelease", signed(body.decode(), key)
    (directory / name).write_bytes(body)


def test_an_archive_in_a_directory_is_verified_as_any(house: House) -> None:
    vendor = house.put("vendor/key.asc", certificate(SECOND).encode()).parent
    flat(vendor)
    relative = 'archives = [{ path = "./vendor", suites = ["./"], signed_by = "vendor/key.asc" }]\n'
    absolute = f'archives = [{{ uris = ["file://{vendor}/"], suites = ["./"], signed_by = "vendor/key.asc" }}]\n'
    for given, root in ((relative, "file:vendor"), (absolute, f"file://{vendor}")):
        loaded = house.load(given, "tool")
        found = house.whole(loaded)
        (own,) = (archive for archive in found.archives if archive.id == "flat")
        assert (own.root, chosen(found)["tool"].archive) == (root, "flat")
        fetch_packages([chosen(found)["tool"]], found.archives, **house.means(loaded))
        house.store.path(chosen(found)["tool"].sha256).unlink()
        # The image's apt has nothing of it.
        files = {file.path: file.content for file in with_archives(loaded.recipe, {"apt"}).files}
        assert "trixie" in str(files[SOURCES])
        assert "file:" not in str(files[SOURCES])
    # A lock alone, as of a bundle, does not say where the directory is.
    with pytest.raises(TransportError, match="is in a directory to which its recipe alone leads"):
        fetch_packages(
            [chosen(found)["tool"]],
            found.archives,
            transport=house.transport,
            store=house.store,
            mirrors=where(house.server),
        )
    (vendor / "tool.deb").write_bytes(b"other")
    with pytest.raises(TransportError, match=r"tool\.deb has other bytes than the lock names"):
        fetch_packages([chosen(found)["tool"]], found.archives, **house.means(loaded))
    (vendor / "Packages").write_text("other")
    for digest in (index.sha256 for archive in found.archives for index in archive.indices):
        house.store.path(digest).unlink(missing_ok=True)
    (message,) = house.wrong(absolute, "tool")
    assert r"has other bytes than the signed Release of ./ names" in message


def test_what_is_wrong_with_an_archive_in_a_directory(house: House, tmp_path: Path) -> None:
    vendor = house.put("vendor/key.asc", certificate(SECOND).encode()).parent
    given = 'archives = [{ path = "vendor", suites = ["./"], signed_by = "vendor/key.asc" }]\n'
    (message,) = house.wrong(given, "tool")
    assert message.startswith("r.toml:6:13 debian.archives[0]: InRelease of ./ is missing: there is no ")
    assert "is named by a path alone, without suites" in message
    flat(vendor, "stranger")
    (message,) = house.wrong(given, "tool")
    assert "is not signed by a trusted certificate" in message or "is not good" in message
    (vendor / "InRelease").unlink()
    flat(vendor, sign=False)
    (message,) = house.wrong(given, "tool")
    assert "Release.gpg of ./ is missing" in message
    shutil.move(vendor, tmp_path / "outside")
    vendor.symlink_to(tmp_path / "outside")
    (message,) = house.wrong(given.replace("vendor/key.asc", "a" * 40), "tool")
    assert "is not known" in message
    house.put("key.asc", certificate(SECOND).encode())
    (message,) = house.wrong(given.replace("vendor/key.asc", "key.asc"), "tool")
    assert "InRelease of ./ is outside of the recipe's project" in message
    assert "--allow-read" in message


def test_nothing_but_own_packages_has_no_time(house: House) -> None:
    everything = {name: deb(name) for name in base()}
    for name, data in everything.items():
        house.put(f"repo/{name}.deb", data)
    house.put(
        "r.toml",
        b'name = "x"\nkernel.package = "linux-image"\n[debian]\nsources = ""\narchives = [{ path = "repo" }]\n',
    )
    loaded = load(house.directory / "r.toml")
    with pytest.raises(LockError, match="nothing says what time the image is of"):
        house.lock(loaded)
    timed = replace(loaded, recipe=loaded.recipe.model_copy(update={"epoch": 1_700_000_000}))
    found = house.lock(timed)
    assert (found.archives, found.source_date_epoch) == ((), 1_700_000_000)
    assert house.prove(found, timed) == len(found.packages)
