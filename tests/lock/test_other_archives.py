"""Archives that are not laid out, signed or named as Debian's: locked, proved, and their packages fetched."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pysequoia import SignatureMode, sign

from assembler.debian.fetch import fetch_packages
from assembler.debian.keyring import SignatureError
from assembler.debian.release import ReleaseError
from assembler.debian.sources import SourcesError
from assembler.errors import AssembleError, Problems
from assembler.image.provenance import statement
from assembler.lock.check import require
from assembler.lock.resolve import resolve
from assembler.lock.trust import prove
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import format_lock, parse_lock
from assembler.recipe.model import Debian, DebianArchive, Pinned, Recipe
from assembler.store.download import NotFoundError, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.debian.archives import (
    NOW,
    certificate,
    fingerprint,
    index,
    laid_out,
    release,
    secret,
    signed,
    source,
    stanza,
)
from tests.lock.test_resolve import base, deb, publish_suite, recipe, where
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Server
from tests.support.reporters import Recorder

SECOND = "vendor"
"""Whose key signs the other archive."""


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01, attempts=1) as it:
        yield it


class House:
    """Debian's archive, and another one beside it."""

    def __init__(self, server: Server, store: Store, transport: Transport) -> None:
        self.server, self.store, self.transport, self.reporter = server, store, transport, Recorder()
        publish_suite(server, "trixie", base())

    def serve(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            self.server.serve(f"/vendor/{path}", data)

    def recipe(self, suite: str, *packages: str, components: str = "main", extra: str = "") -> Recipe:
        text = source(suite=suite, key=SECOND, uris=self.server.url("/vendor"), extra=extra)
        other = text.replace("Components: main\n", f"Components: {components}\n" if components else "")
        return recipe(*packages, sources=f"{source()}\n{other}")

    def lock(self, it: Recipe) -> Lock:
        return resolve(
            it,
            "a" * 64,
            transport=self.transport,
            store=self.store,
            mirrors=where(self.server),
            now=NOW,
            tools=LOCK.tools,
            reporter=self.reporter,
        )

    def whole(self, it: Recipe) -> Lock:
        """The lock, when its text is read back, allowed by the recipe and proved, and its packages are fetched."""
        found = self.lock(it)
        again = parse_lock(format_lock(found), "x.lock.toml")
        assert again == found
        require(found, it, "a" * 64, build_architecture="amd64", path=Path("x.lock.toml"))
        assert self.prove(found, it) == len(found.packages)
        fetch_packages(
            [package for package in found.packages if package.archive != "trixie"],
            found.archives,
            store=self.store,
            transport=self.transport,
            mirrors=where(self.server),
        )
        return found

    def prove(self, lock: Lock, it: Recipe) -> int:
        return prove(
            lock,
            it,
            file="x.lock.toml",
            transport=self.transport,
            store=self.store,
            mirrors=where(self.server),
            now=NOW,
        )


@pytest.fixture
def house(server: Server, store: Store, transport: Transport) -> House:
    return House(server, store, transport)


def detached(text: str, key: str = SECOND) -> bytes:
    return bytes(sign(secret(key).signer(), text.encode(), mode=SignatureMode.DETACHED))


def flat(directory: str, *names: str, listed: str = "", **fields: str) -> tuple[dict[str, bytes], str]:
    """The files of a flat archive but its signature, and the text of its Release.

    The paths of its packages are relative to the archive's root, whatever the directory.
    """
    debs = {f"{directory}{name}_1.0_amd64.deb": deb(name) for name in names}
    stanzas = [stanza(Path(path).name.partition("_")[0], data, Filename=f"./{path}") for path, data in debs.items()]
    text = "".join(stanzas).encode()
    absent = {"Suite": "", "Codename": "", "Components": "", "Architectures": "", "Acquire-By-Hash": "", **fields}
    return {**debs, f"{directory}Packages": text}, release({f"{listed}Packages": text}, **absent)


@pytest.mark.parametrize(
    ("suite", "directory", "listed"),
    [("./", "", ""), ("/", "", "./"), ("deb/amd64/", "deb/amd64/", ""), ("core:/v1/", "core:/v1/", "./")],
)
def test_a_flat_archive(house: House, suite: str, directory: str, listed: str) -> None:
    files, text = flat(directory, "tool", "other", listed=listed)
    house.serve({**files, f"{directory}InRelease": signed(text, SECOND)})
    found = house.whole(house.recipe(suite, "tool", components=""))
    (tool,) = (package for package in found.packages if package.name == "tool")
    (own,) = (archive for archive in found.archives if archive.id == tool.archive)
    assert (own.id, own.suite, own.components, own.signed_by) == ("flat", suite, (), (fingerprint(SECOND),))
    assert tool.path == f"{directory}tool_1.0_amd64.deb"
    assert house.store.has(hashlib.sha256(deb("tool")).hexdigest())
    assert not house.reporter.warnings
    uris = [each["uri"] for each in provenance_of(found)]
    assert house.server.url(f"/vendor/{directory}InRelease") in uris


def provenance_of(lock: Lock) -> list[Mapping[str, object]]:
    document = statement({}, lock, name="x", recipe_sha256="a" * 64, lock_sha256="b" * 64)
    found = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert isinstance(found, list)
    return found


def test_an_archive_as_a_table(house: House) -> None:
    files, text = flat("", "tool")
    house.serve({**files, "InRelease": signed(text, SECOND)})
    table: dict[str, Any] = {"uris": [house.server.url("/vendor/")], "suites": ["./"], "signed_by": certificate(SECOND)}
    it = recipe("tool")
    it = it.model_copy(update={"debian": Debian(sources=source(), archives=[DebianArchive(**table)])})
    found = house.whole(it)
    assert {"trixie", "flat"} == {archive.id for archive in found.archives}
    table["signed_by"] = fingerprint(SECOND)
    unknown = it.model_copy(update={"debian": Debian(sources=source(), archives=[DebianArchive(**table)])})
    with pytest.raises(SourcesError, match=f"the certificate {fingerprint(SECOND)} is not known") as caught:
        house.lock(unknown)
    assert caught.value.where.key == "debian.archives[0]"


def test_what_pins_decide_is_proved(house: House) -> None:
    files = index([stanza("tool", deb("tool", "0.5"), Version="0.5", Filename="pool/tool.deb")])
    served = laid_out(files, signed(release(files, NotAutomatic="yes"), SECOND))
    house.serve({path.removeprefix("/"): data for path, data in served.items()} | {"pool/tool.deb": deb("tool", "0.5")})
    publish_suite(house.server, "trixie", base(tool={}))

    def version(it: Recipe) -> str:
        return next(package.version for package in house.whole(it).packages if package.name == "tool")

    plain = house.recipe("trixie", "tool")
    assert version(plain) == "1.0"
    pin = Pinned(packages=["tool"], pin="origin 127.0.0.1", priority=501)
    assert version(plain.model_copy(update={"debian": plain.debian.model_copy(update={"pins": [pin]})})) == "0.5"
    assert version(house.recipe("trixie", "tool=0.*")) == "0.5"
    locked = house.lock(plain)
    with pytest.raises(Problems, match="does not lead to this package"):
        house.prove(locked, house.recipe("trixie", "tool=0.5"))


def test_a_flat_archive_has_no_other_index(house: House) -> None:
    files, text = flat("", "tool")
    house.serve({**files, "InRelease": signed(text, SECOND)})
    it = house.recipe("./", "tool", components="")
    found = house.lock(it)
    (own,) = (archive for archive in found.archives if archive.id == "flat")
    lying = replace(own, indices=(replace(own.indices[0], path="main/binary-amd64/Packages"),))
    claimed = tuple(lying if archive is own else archive for archive in found.archives)
    with pytest.raises(Problems, match="it is of no component that the recipe has"):
        require(replace(found, archives=claimed), it, "a" * 64, build_architecture="amd64", path=Path("x.lock.toml"))
    house.serve({"InRelease": signed(release({"Sources": b"x"}, Architectures=""), SECOND)})
    with pytest.raises(ReleaseError, match="lists no Packages"):
        house.lock(it)


def test_a_signature_beside_the_release(house: House) -> None:
    files, text = flat("", "tool")
    house.serve({**files, "Release": text.encode(), "Release.gpg": detached(text)})
    it = house.recipe("./", "tool", components="")
    found = house.whole(it)
    (own,) = (archive for archive in found.archives if archive.id == "flat")
    assert own.inrelease_sha256 == hashlib.sha256(text.encode()).hexdigest()
    names = {str(each["uri"]).rpartition("/")[2] for each in provenance_of(found) if "vendor" in str(each["uri"])}
    assert {"Release", "Release.gpg"} <= names
    # Whoever has the lock and an empty store finds both again.
    for digest in own.signed:
        house.store.path(digest).unlink()
    assert house.prove(found, it) == len(found.packages)
    # Where the archive has signed anew, the lock's own is not there any more.
    for digest in own.signed:
        house.store.path(digest).unlink()
    house.serve({"Release": text.encode() + b"More: x\n", "Release.gpg": detached(text + "More: x\n")})
    with pytest.raises(TransportError, match="nobody has the InRelease of"):
        house.prove(found, it)


@pytest.mark.parametrize(
    ("change", "key"),
    [(lambda text: text, "stranger"), (lambda text: text.replace("SHA256", "Sha256"), SECOND)],
)
def test_a_signature_beside_it_of_something_or_somebody_else(house: House, change: object, key: str) -> None:
    files, text = flat("", "tool")
    signed_text = change(text)  # type: ignore[operator]  # a lambda
    house.serve({**files, "Release": text.encode(), "Release.gpg": detached(signed_text, key)})
    with pytest.raises(SignatureError):
        house.lock(house.recipe("./", "tool", components=""))


def test_no_signature_at_all(house: House) -> None:
    files, text = flat("", "tool")
    it = house.recipe("./", "tool", components="")
    house.serve(files)
    with pytest.raises(NotFoundError, match=r"InRelease of \./") as caught:
        house.lock(it)
    assert caught.value.hint == "check URIs and Suites in debian.sources"
    house.serve({"Release": text.encode()})
    with pytest.raises(NotFoundError, match=r"Release\.gpg of \./"):
        house.lock(it)
    house.serve({"Release.gpg": b"-----BEGIN PGP SIGNATURE-----\n\nnonsense\n-----END PGP SIGNATURE-----\n"})
    with pytest.raises(SignatureError, match=r"the signature of Release of \./ is not good"):
        house.lock(it)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"Suite": "", "Codename": ""}, "says neither Suite nor Codename"),
        ({"Suite": "any", "Codename": ""}, "calls itself any"),
        ({"Suite": "stable", "Codename": "bookworm"}, "calls itself stable and bookworm"),
    ],
)
def test_a_suite_that_calls_itself_otherwise_is_told(house: House, fields: dict[str, str], told: str) -> None:
    files = index([stanza("tool", deb("tool"))])
    served = laid_out(files, signed(release(files, **fields), SECOND))
    house.serve({path.removeprefix("/"): data for path, data in served.items()})
    house.serve({"pool/main/t/tool/tool_1.0_amd64.deb": deb("tool")})
    house.whole(house.recipe("trixie", "tool"))
    (warning,) = house.reporter.warnings
    assert warning.startswith(f"the Release of trixie {told} (http://")


@pytest.mark.parametrize(
    "name", ["tool_2%3a1.0_amd64.deb", "tool_2#1.0~x+y_amd64.deb", "tool 1.0 amd64.deb", "t?o.deb"]
)
def test_names_that_an_address_has_to_quote(house: House, name: str) -> None:
    files = index([stanza("tool", deb("tool"), Filename=f"pool/{name}")])
    text = release(files, Suite="stable", Codename="trixie")
    house.serve({path.removeprefix("/"): data for path, data in laid_out(files, signed(text, SECOND)).items()})
    quoted = name.replace("%", "%25").replace("#", "%23").replace(" ", "%20").replace("?", "%3F")
    house.serve({f"pool/{quoted}": deb("tool")})
    found = house.whole(house.recipe("trixie", "tool"))
    assert f"pool/{name}" in {package.path for package in found.packages}


@pytest.mark.parametrize("name", ["../../up.deb", "a//b.deb", "a\tb.deb", "a%2fb.deb", " ", "a/ b\x7f"])
def test_names_that_are_none(house: House, name: str) -> None:
    files = index([stanza("tool", deb("tool"), Filename=f"pool/{name}")])
    text = release(files, Suite="stable", Codename="trixie")
    house.serve({path.removeprefix("/"): data for path, data in laid_out(files, signed(text, SECOND)).items()})
    with pytest.raises(AssembleError):
        house.lock(house.recipe("trixie", "tool"))


def test_only_packages_for_all_architectures(house: House) -> None:
    """`Architectures: all` in the stanza, or an archive that has nothing else."""
    common = stanza("common", deb("common"), Architecture="all", Filename="pool/common.deb")
    own = stanza("own", deb("own"), Filename="pool/own.deb")
    files = index([common], architecture="all") | index([own])
    house.serve({"pool/common.deb": deb("common"), "pool/own.deb": deb("own")})

    def publish(architectures: str) -> None:
        text = release(files, Architectures=architectures)
        house.serve({path.removeprefix("/"): data for path, data in laid_out(files, signed(text, SECOND)).items()})

    publish("all amd64")
    assert {"common", "own"} <= {each.name for each in house.whole(house.recipe("trixie", "common", "own")).packages}
    limited = house.recipe("trixie", "common", extra="Architectures: all")
    assert "common" in {each.name for each in house.whole(limited).packages}
    with pytest.raises(AssembleError, match="there is no such package"):
        house.lock(house.recipe("trixie", "own", extra="Architectures: all"))
    files = index([common], architecture="all")
    publish("all")
    assert "common" in {each.name for each in house.whole(house.recipe("trixie", "common")).packages}
    publish("arm64")
    with pytest.raises(ReleaseError, match="trixie has no packages for amd64"):
        house.lock(house.recipe("trixie", "common"))
