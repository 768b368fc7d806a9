"""The chain of trust from a certificate to an index, and every way to break it that an attacker has."""

import gzip
import hashlib
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from assembler.debian.indices import LARGEST_INDEX, choose_indices, fetch_indices, read_index
from assembler.debian.keyring import SHIPPED, SignatureError, shipped, trusted, verify
from assembler.debian.release import (
    Release,
    ReleaseError,
    check_release,
    fetch_release,
    locked_release,
    read_release,
)
from assembler.debian.sources import SourcesError, archives, parse_sources
from assembler.lockfile.model import LockedArchive, LockedIndex
from assembler.store.download import OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.debian.archives import (
    NOW,
    archive,
    certificate,
    date,
    fingerprint,
    index,
    mirrors,
    publish,
    release,
    secret,
    signed,
    stanza,
)
from tests.support.http_server import Server

FILES = index([stanza("hello")])
SECURITY = Path(__file__).parent / "data/trixie-security.InRelease"


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01, attempts=2) as it:
        yield it


def read(data: bytes, keys: Sequence[str] = ("archive",)) -> Release:
    certificates = [secret(name).extract_certificate() for name in keys]
    return read_release(data, certificates, now=NOW, name="InRelease")


def seen(moment: datetime) -> LockedArchive:
    return LockedArchive(
        id="trixie",
        root="debian",
        suite="trixie",
        components=("main",),
        inrelease_sha256="0" * 64,
        date=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        valid_until="",
        signed_by=(),
        indices=(),
    )


def test_the_certificates_that_we_ship_are_listed_and_alive() -> None:
    table = (files("assembler.debian") / "keys/README.md").read_text()
    shipped_files = {path.name for path in (files("assembler.debian") / "keys").iterdir()}
    assert shipped_files == {*SHIPPED.values(), "README.md"}
    for item in shipped():
        name = SHIPPED[item.fingerprint.upper()]
        row = f"| `{name}` | {str(item.user_ids[0]).partition(' <')[0]} | `{item.fingerprint.upper()}` | "
        assert f"{row}{item.expiration:%Y-%m-%d} |" in table
        assert not item.is_revoked


def test_a_release_of_debian() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    found = read_release(SECURITY.read_bytes(), shipped(), now=now, name="InRelease")
    assert found.signed_by == (
        "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",
        "5E04A1E3223A19A20706E20F9904613D4CCE68C6",
    )
    (security,) = archives(parse_sources("Types: deb\nSuites: trixie-security\nComponents: main contrib\n"))
    check_release(found, security, now=now)
    assert [item.path for item in choose_indices(found, security, "amd64")] == [
        "main/binary-amd64/Packages.xz",
        "contrib/binary-amd64/Packages.xz",
    ]
    assert found.by_hash


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"Codename: trixie-security", b"Codename: trixie-securitx"),
        lambda data: data.replace(b"Acquire-By-Hash", b"Acquire-by-hash"),
        lambda data: data[:1000] + data[1001:],
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"-----BEGIN PGP SIGNATURE-----", b""),
        lambda data: data.partition(b"-----BEGIN PGP SIGNATURE-----")[0],
        lambda data: data.partition(b"\n\n")[2],
        lambda _: b"",
        lambda _: b"\x89PNG",
    ],
)
def test_a_tampered_release_is_refused(change: object) -> None:
    with pytest.raises(SignatureError) as caught:
        verify(change(SECURITY.read_bytes()), shipped(), now=NOW, name="InRelease")  # type: ignore[operator]  # a lambda
    assert "\n" not in str(caught.value), "no backtrace of a library"


def test_only_what_is_signed_counts() -> None:
    good = signed(release(FILES))
    header = b"-----BEGIN PGP SIGNED MESSAGE-----"
    for data, place in (
        (good + b"\nCodename: evil\n", "after its signature"),
        (good + good, "after its signature"),
        (b"Codename: evil\n\n" + good, "before the signed text"),
        (good.replace(header, header + b"\nCodename: evil", 1), "among its headers"),
    ):
        with pytest.raises(SignatureError, match=f"does not cover all of it: there is more {place}"):
            read(data)
    assert read(good + b"\r\n\n").codename == "trixie"
    assert read(good.replace(b"\n", b"\r\n")).codename == "trixie"


def test_a_release_signed_with_another_key_is_refused() -> None:
    with pytest.raises(SignatureError):
        read(signed(release(FILES), "stranger"))
    with pytest.raises(SignatureError):
        verify(SECURITY.read_bytes(), [secret("archive").extract_certificate()], now=NOW, name="InRelease")
    assert read(signed(release(FILES), "archive"), ("stranger", "archive")).signed_by == (fingerprint("archive"),)


def test_expired_certificates_count_for_nothing() -> None:
    after = datetime(2040, 1, 1, tzinfo=UTC)
    with pytest.raises(SignatureError):
        verify(SECURITY.read_bytes(), shipped(), now=after, name="InRelease")


def test_signed_by_narrows_the_trust() -> None:
    stanzas = "Types: deb\nSuites: trixie\nComponents: main\nSigned-By: "
    stable = "41587F7DB8C774BCCF131416762F67A0B2C39DE4"
    (one,) = archives(parse_sources(stanzas + stable))
    assert [item.fingerprint.upper() for item in trusted(one)] == [stable]
    with pytest.raises(SignatureError):
        verify(SECURITY.read_bytes(), trusted(one), now=NOW, name="InRelease")
    (unknown,) = archives(parse_sources(stanzas + "AB" * 20))
    with pytest.raises(SourcesError, match="ABAB is not known"):
        trusted(unknown)
    assert [str(item) for item in trusted(archive())] == [certificate()]
    broken = replace(archive(), source=replace(archive().source, key="-----BEGIN PGP PUBLIC KEY BLOCK-----\n"))
    with pytest.raises(SourcesError, match="cannot be read"):
        trusted(broken)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Date": date(NOW + timedelta(hours=1))}, "from the future"),
        ({"Valid_Until": date(NOW - timedelta(seconds=1))}, "has expired"),
        ({"Codename": "bookworm", "Suite": "oldstable"}, "another suite in place of trixie"),
    ],
)
def test_a_release_of_another_time_or_suite_is_refused(fields: dict[str, str], message: str) -> None:
    found = read(signed(release(FILES, **fields)))
    with pytest.raises(ReleaseError, match=message) as caught:
        check_release(found, archive(), now=NOW)
    assert "debian.sources:1 trixie" in str(caught.value)


def test_what_is_in_time() -> None:
    check_release(read(signed(release(FILES, Valid_Until=""))), archive(), now=NOW)
    check_release(read(signed(release(FILES))), archive(suite="stable"), now=NOW)
    check_release(read(signed(release(FILES, Date=date(NOW + timedelta(minutes=4))))), archive(), now=NOW)
    expired = read(signed(release(FILES, Valid_Until=date(NOW - timedelta(days=400)))))
    check_release(expired, archive("Check-Valid-Until: no"), now=NOW)


def test_a_release_older_than_the_lock_is_refused() -> None:
    found = read(signed(release(FILES)))
    check_release(found, archive(), now=NOW, previous=seen(NOW - timedelta(days=1)))
    with pytest.raises(ReleaseError, match="older than the one in the lock"):
        check_release(found, archive(), now=NOW, previous=seen(NOW))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Date: now\nSHA256:\n",
        "Suite: x\nSHA256:\n",
        "Date: Sat, 21 Nov 2026 02:10:46 UTC\n",
        "Date: Sat, 21 Nov 2026 02:10:46 UTC\nSHA256:\n 12 34 main\n",
        "Date: Sat, 21 Nov 2026 02:10:46 UTC\nDate: Sat, 21 Nov 2026 02:10:46 UTC\nSHA256:\n",
        "Date: Sat, 21 Nov 2026 02:10:46 UTC\n\nSHA256:\n",
        *(
            f"Date: {moment}\nSHA256:\n"
            for moment in (
                "Fri, 31 Dec 9999 23:59:59 -2359",
                "Mon, 99 Jan 2026 00:00:00 UTC",
                "Sat, 21 Nov 20260000000000000000000 02:10:46 UTC",
                "Sat, 21 Nov 2026 02:10:99999999999999999999 UTC",
                "Sat, 21 Nov 2026 02:10:46 +99999999999999999999",
                "Thu, 01 Jan 1969 00:00:00 UTC",
                "1 " * 1000,
            )
        ),
        "Date: Sat, 21 Nov 2026 02:10:46 UTC\nValid-Until: Fri, 31 Dec 9999 23:59:59 -2359\nSHA256:\n",
    ],
)
def test_a_signed_text_that_is_no_release(text: str) -> None:
    with pytest.raises(ReleaseError, match="InRelease cannot be read"):
        read(signed(text))


def test_packages_for_all_architectures_may_have_an_index_of_their_own() -> None:
    both = {**FILES, **index([stanza("doc", Architecture="all")], architecture="all")}
    apart = read(signed(release(both, Architectures="all amd64")))
    assert [item.path for item in choose_indices(apart, archive(), "amd64")] == [
        "main/binary-amd64/Packages.xz",
        "main/binary-all/Packages.xz",
    ]
    together = read(signed(release(both, Architectures="all amd64", No_Support_for_Architecture_all="Packages")))
    assert [item.path for item in choose_indices(together, archive(), "amd64")] == ["main/binary-amd64/Packages.xz"]


def test_components_and_architectures_that_are_not_there() -> None:
    found = read(signed(release(FILES)))
    with pytest.raises(ReleaseError, match="no packages for arm64: it has amd64"):
        choose_indices(found, archive(), "arm64")
    assert choose_indices(found, archive("Architectures: amd64"), "arm64") == ()
    (typo,) = archives(parse_sources("Types: deb\nSuites: trixie\nComponents: mian\n"))
    with pytest.raises(ReleaseError, match=r"no component mian: it has main \(did you mean main\?\)"):
        choose_indices(found, typo, "amd64")


def test_the_best_compression_that_is_there() -> None:
    plain = {path: data for path, data in FILES.items() if not path.endswith(".xz")}
    for listed in (FILES, plain):
        (chosen,) = choose_indices(read(signed(release(listed))), archive(), "amd64")
        assert chosen.path == list(listed)[-1]


@pytest.mark.parametrize("by_hash", [True, False])
def test_indices_are_fetched(server: Server, store: Store, transport: Transport, by_hash: bool) -> None:  # noqa: FBT001  a parameter
    publish(server, FILES, signed(release(FILES, Acquire_By_Hash="yes" if by_hash else "no")), by_hash=by_hash)
    where = mirrors(server.url("/debian"))
    found = fetch_release(archive(), mirrors=where, transport=transport, now=NOW)
    (chosen,) = choose_indices(found, archive(), "amd64")
    fetch_indices([(archive(), found, chosen)], store=store, transport=transport, mirrors=where)
    assert read_index(store, found, chosen) == FILES["main/binary-amd64/Packages"]
    assert ("by-hash" in server.seen[-1][0]) == by_hash


def test_a_swapped_index_is_refused_and_not_kept(server: Server, store: Store, transport: Transport) -> None:
    evil = lzma.compress(stanza("evil").encode())
    size = len(FILES["main/binary-amd64/Packages.xz"])
    digest = hashlib.sha256(FILES["main/binary-amd64/Packages.xz"]).hexdigest()
    publish(server, FILES, signed(release(FILES)))
    for path in list(server.answers):
        if not path.endswith("InRelease"):
            server.serve(path, evil.ljust(size, b"\0")[:size])
    where = mirrors(server.url("/debian"))
    found = fetch_release(archive(), mirrors=where, transport=transport, now=NOW)
    indices = choose_indices(found, archive(), "amd64")
    with pytest.raises(TransportError, match="it sent other bytes"):
        fetch_indices([(archive(), found, item) for item in indices], store=store, transport=transport, mirrors=where)
    assert not store.has(digest)
    assert list((store.root / "objects").iterdir()) == []


def test_an_index_may_not_grow(store: Store) -> None:
    bomb = {"main/binary-amd64/Packages": b"x", "main/binary-amd64/Packages.xz": lzma.compress(bytes(10_000_000))}
    found = read(signed(release(bomb)))
    (chosen,) = choose_indices(found, archive(), "amd64")
    store.add(bomb[chosen.path])
    with pytest.raises(ReleaseError, match="does not decompress to the 1 bytes"):
        read_index(store, found, chosen)
    garbage = {"main/binary-amd64/Packages.xz": b"\xfd7zXZ\0garbage garbage"}
    found = read(signed(release(garbage)))
    (chosen,) = choose_indices(found, archive(), "amd64")
    store.add(garbage[chosen.path])
    with pytest.raises(ReleaseError, match="cannot be decompressed"):
        read_index(store, found, chosen)


def test_an_index_may_not_be_huge(store: Store) -> None:
    data = lzma.compress(b"Package: x\n")
    store.add(data)
    path = "main/binary-amd64/Packages"
    text = release({path: b"", f"{path}.xz": data})
    for line in (f" 0 {path}\n", f" {len(data)} {path}.xz\n"):
        name = line.split()[1]
        found = read(signed(text.replace(line, f" {LARGEST_INDEX + 1} {name}\n")))
        with pytest.raises(ReleaseError, match=r"too large.*at most 512 MiB"):
            chosen_and_read(found, store)


def chosen_and_read(found: Release, store: Store) -> bytes:
    (index,) = choose_indices(found, archive(), "amd64")
    return read_index(store, found, index)


def test_a_bad_mirror_is_passed_over(server: Server, transport: Transport) -> None:
    good = signed(release(FILES))
    publish(server, FILES, good.replace(b"Codename: trixie", b"Codename: trixix"), root="/tampered")
    publish(server, FILES, signed(release(FILES, Valid_Until=date(NOW - timedelta(days=9)))), root="/stale")
    publish(server, FILES, b"<html>log in</html>", root="/captive")
    publish(server, FILES, good, root="/good")
    bases = [server.url(path) for path in ("/gone", "/tampered", "/stale", "/captive", "/good")]
    assert fetch_release(archive(), mirrors=mirrors(*bases), transport=transport, now=NOW).data == good
    with pytest.raises(SignatureError, match="the signature of InRelease of trixie is not good") as caught:
        fetch_release(archive(), mirrors=mirrors(*bases[:-1]), transport=transport, now=NOW)
    assert caught.value.details == (f"fetched from {bases[1]}/dists/trixie/InRelease",)
    with pytest.raises(TransportError, match="404"):
        fetch_release(archive(), mirrors=mirrors(bases[0]), transport=transport, now=NOW)


def test_offline(server: Server) -> None:
    with Transport(offline=True) as transport, pytest.raises(OfflineError, match="InRelease of trixie"):
        fetch_release(archive(), mirrors=mirrors(server.url("/debian")), transport=transport, now=NOW)


def test_a_certificate_counts_until_it_expires() -> None:
    ends = [item.expiration for item in shipped() if item.fingerprint.upper() in (
        "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0", "5E04A1E3223A19A20706E20F9904613D4CCE68C6",
    )]  # fmt: skip
    last = max(end for end in ends if end is not None)
    data = SECURITY.read_bytes()
    assert len(verify(data, shipped(), now=last - timedelta(seconds=1), name="InRelease").fingerprints) >= 1
    with pytest.raises(SignatureError):
        verify(data, shipped(), now=last, name="InRelease")


def test_a_release_in_a_lock_is_of_the_suite_and_what_the_lock_says(store: Store, transport: Transport) -> None:
    data = signed(release(FILES))
    found = read(data)
    locked = replace(
        seen(found.date), inrelease_sha256=hashlib.sha256(data).hexdigest(), signed_by=(fingerprint("archive"),)
    )
    store.add(data)

    def again(suite: str, locked: LockedArchive = locked) -> Release:
        return locked_release(
            archive(suite=suite), locked, store=store, mirrors=mirrors(), transport=transport, now=NOW
        )

    assert again("trixie") == again("stable") == found
    with pytest.raises(ReleaseError, match="is that of another suite") as caught:
        again("bookworm")
    assert caught.value.why == "it calls itself stable and trixie"
    for other in (replace(locked, date="2026-01-01T00:00:00Z"), replace(locked, signed_by=("0" * 40,))):
        with pytest.raises(ReleaseError, match="is not what the lock says of it") as caught:
            again("trixie", other)
        assert caught.value.why.endswith(f"UTC, and signed by {fingerprint('archive')}")


def packed(store: Store, path: str, data: bytes, size: int) -> bytes:
    """What is read of an index whose release promises `size` bytes unpacked."""
    digest = hashlib.sha256(data).hexdigest()
    store.add(data)
    files = {"main/binary-amd64/Packages": ("0" * 64, size), path: (digest, len(data))}
    return read_index(
        store, replace(read(signed(release({}))), files=files), LockedIndex(path=path, size=len(data), sha256=digest)
    )


def test_indices_may_be_packed_with_gzip_or_not_at_all(store: Store) -> None:
    text = FILES["main/binary-amd64/Packages"]
    for path, data in (
        ("main/binary-amd64/Packages.gz", gzip.compress(text)),
        ("main/binary-amd64/Packages", text),
        ("main/binary-amd64/Packages.xz", lzma.compress(text)),
    ):
        assert packed(store, path, data, len(text)) == text
        for size in (len(text) - 1, len(text) + 1):
            if path.endswith("z"):
                with pytest.raises(ReleaseError, match=f"does not decompress to the {size} bytes"):
                    packed(store, path, data, size)
    for path in ("main/binary-amd64/Packages.gz", "main/binary-amd64/Packages.xz"):
        with pytest.raises(ReleaseError, match="cannot be decompressed"):
            packed(store, path, b"neither" * 9, 7)


def test_an_index_that_was_changed_in_the_store_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    text = FILES["main/binary-amd64/Packages"]
    digest = store.add(text)
    path = store.get(digest, what="the index")
    path.chmod(0o600)
    path.write_bytes(text.replace(b"hello", b"hullo"))
    found = replace(read(signed(release({}))), files={"Packages": (digest, len(text))})
    monkeypatch.setattr(Store, "get", lambda _self, _digest, **_options: path)
    with pytest.raises(ReleaseError, match="Packages is damaged"):
        read_index(store, found, LockedIndex(path="Packages", size=len(text), sha256=digest))
