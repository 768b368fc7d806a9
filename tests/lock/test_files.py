"""Digests of upstream files: from the recipe, the publisher, or trusted on first use."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from assembler.errors import Place
from assembler.lock.files import checksum_in, fetch_files, lock_files
from assembler.lock.wanted import kernel_files
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedFile
from assembler.lockfile.wanted import WantedFile
from assembler.recipe.model import Kernel, Recipe
from assembler.store.download import OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Server
from tests.support.reporters import Recorder

DATA = b"a program" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01, attempts=2) as it:
        yield it


def wanted(url: str, sha256: str = "", *checksums: str) -> WantedFile:
    return WantedFile(
        name="kubelet", version="1.0", url=url, sha256=sha256, checksums=checksums, role="kubernetes", key="kubernetes"
    )


def one(file: WantedFile, store: Store, transport: Transport, previous: Lock | None = None) -> LockedFile:
    (found,) = lock_files([file], store=store, transport=transport, previous=previous)
    assert store.path(found.sha256).read_bytes() == DATA
    return found


def test_a_digest_in_the_recipe(server: Server, store: Store, transport: Transport) -> None:
    found = one(wanted(server.serve("/kubelet", DATA), DIGEST), store, transport)
    assert (found.sha256, found.size, found.learned, found.witness) == (DIGEST, len(DATA), "recipe", "")
    assert one(wanted(server.url("/kubelet"), DIGEST), store, transport) == found
    assert len(server.seen) == 1, "what is in the store is not fetched to learn its size"


def test_a_wrong_digest_in_the_recipe(server: Server, store: Store, transport: Transport) -> None:
    with pytest.raises(TransportError, match=f"other bytes than the recipe names: their SHA-256 is {DIGEST}") as caught:
        one(wanted(server.serve("/kubelet", DATA), "0" * 64), store, transport)
    assert caught.value.hint == "check kubernetes"
    assert not store.has(DIGEST)


def test_a_checksum_file_of_the_publisher(server: Server, store: Store, transport: Transport) -> None:
    url = server.serve("/kubelet", DATA)
    sums = server.serve("/SHA256SUMS", f"{'0' * 64}  other\n{DIGEST} *kubelet\n".encode())
    found = one(wanted(url, "", server.url("/gone"), sums), store, transport)
    assert (found.sha256, found.learned, found.witness) == (DIGEST, "publisher", sums)
    server.serve("/SHA256SUMS", b"%064d  other\n%064d  more\n" % (1, 2))
    with pytest.raises(LockError, match="does not name kubelet"):
        one(wanted(url, "", sums), store, transport)
    server.serve("/SHA256SUMS", b"0" * 64)
    with pytest.raises(TransportError, match="it sent other bytes"):
        one(wanted(url, "", sums), store, transport)


def test_trusted_on_first_use(server: Server, store: Store, transport: Transport) -> None:
    url = server.serve("/kubelet", DATA)
    found = one(wanted(url, "", server.url("/gone")), store, transport)
    assert (found.sha256, found.learned) == (DIGEST, "first-use")
    previous = replace(LOCK, files=(found,))
    one(wanted(url), store, transport, previous)
    server.serve("/kubelet", b"another")
    with pytest.raises(LockError, match="another file than when it was locked first"):
        one(wanted(url), store, transport, previous)
    fetch_files([found], store=store, transport=transport)
    assert lock_files([wanted(url)], store=store, transport=transport, previous=previous, hold=True) == (found,)


def test_what_has_no_digest_is_never_continued(server: Server, store: Store, transport: Transport) -> None:
    server.answers["/kubelet"] = lambda handler: handler.truncated(DATA, 5000)
    with pytest.raises(TransportError, match="the connection ended too early"):
        one(wanted(server.url("/kubelet")), store, transport)
    assert [span for _, span in server.seen] == ["", ""]
    assert one(wanted(server.url("/kubelet"), DIGEST), store, transport).size == len(DATA)
    assert server.seen[-1] == ("/kubelet", "bytes=5000-"), "with a digest it is"


def test_offline(server: Server, store: Store) -> None:
    with Transport(offline=True) as offline, pytest.raises(OfflineError) as caught:
        one(wanted(server.serve("/kubelet", DATA)), store, offline)
    assert caught.value.details == ("kubelet",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{'A' * 64}\n", "a" * 64),
        ("a" * 64, "a" * 64),
        (f"{'a' * 64}  x.tgz\n", "a" * 64),
        (f"{'a' * 64}  ./bin/x.tgz\n", "a" * 64),
        (f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{'b' * 64}  y\n{'a' * 64}  x.tgz\n", "a" * 64),
        (f"SHA256 (x.tgz) = {'a' * 64}\n", "a" * 64),
        (f"{'a' * 64}  other.tgz\n", ""),
        (f"{'a' * 63}\n", ""),
        (f"{'a' * 64}\n{'b' * 64}\n", ""),
        ("<html>", ""),
        ("", ""),
    ],
)
def test_checksum_files(text: str, found: str) -> None:
    assert checksum_in(text, "x.tgz") == found


def test_a_kernel_with_a_wrong_digest(server: Server, store: Store, transport: Transport) -> None:
    url = server.serve("/linux-6.12.tar.xz", DATA)
    kernel = Kernel(source="vanilla", url=url, sha256="0" * 64, version="6.12")
    with pytest.raises(TransportError, match="it sent other bytes") as caught:
        lock_files(kernel_files(Recipe(name="x", kernel=kernel)), store=store, transport=transport)
    assert caught.value.hint == "check kernel.sha256"
    right = kernel.model_copy(update={"sha256": DIGEST})
    (found,) = lock_files(kernel_files(Recipe(name="x", kernel=right)), store=store, transport=transport)
    assert (found.name, found.role, found.learned) == ("linux", "kernel", "recipe")
    assert kernel_files(Recipe(name="x")) == []


def test_what_is_trusted_on_first_use_is_told(server: Server, store: Store, transport: Transport) -> None:
    reporter = Recorder()
    files = [wanted(server.serve("/kubelet", DATA)), wanted(server.serve("/other", DATA), DIGEST)]
    found = lock_files([replace(files[1], name="zz"), files[0]], store=store, transport=transport, reporter=reporter)
    assert [(file.name, file.size, file.witness, file.role) for file in found] == [
        ("kubelet", len(DATA), "", "kubernetes"),
        ("zz", len(DATA), "", "kubernetes"),
    ]
    assert reporter.warnings == [
        f"{server.url('/kubelet')} has no published checksum: its SHA-256 {DIGEST} is trusted on first use"
    ]


def test_another_file_than_before_is_told_with_both_digests(server: Server, store: Store, transport: Transport) -> None:
    url = server.serve("/kubelet", DATA)
    found = one(wanted(url), store, transport)
    other = replace(found, sha256="0" * 64)
    with pytest.raises(LockError) as caught:
        one(wanted(url), store, transport, replace(LOCK, files=(other,)))
    assert caught.value.what == "kubelet is another file than when it was locked first"
    assert caught.value.why == f"{url} had SHA-256 {'0' * 64}, and has {DIGEST} now"
    assert caught.value.where == Place(key="kubernetes")
    # What is known of another address, or was not just trusted, says nothing of this file.
    for before in (replace(other, url=f"{url}2"), replace(other, learned="publisher")):
        assert one(wanted(url), store, transport, replace(LOCK, files=(before,))) == found
    assert one(wanted(url, DIGEST), store, transport, replace(LOCK, files=(other,))).sha256 == DIGEST


def test_what_is_held_stays_unless_the_recipe_says_otherwise(
    server: Server, store: Store, transport: Transport
) -> None:
    url = server.serve("/kubelet", DATA)
    sums = server.serve("/SHA256SUMS", f"{'0' * 64}  kubelet\n".encode())
    old = replace(one(wanted(url, DIGEST), store, transport), learned="publisher", witness="https://old.example/")
    previous = replace(LOCK, files=(old,))
    for file, learned, witness in (
        (wanted(url, "", sums), "publisher", "https://old.example/"),
        (wanted(url, DIGEST), "recipe", ""),
    ):
        (found,) = lock_files([file], store=store, transport=transport, previous=previous, hold=True)
        assert (found.sha256, found.learned, found.witness) == (DIGEST, learned, witness)
    with pytest.raises(TransportError, match="than its publisher's checksum file names"):
        lock_files([wanted(url, "", sums)], store=store, transport=transport, previous=previous)
