"""Locks that were edited, forged or made elsewhere, and builds that may ask nobody."""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from assembler.cli.main import call
from assembler.lockfile.model import Lock, LockedPackage
from assembler.lockfile.toml import read_lock, write_lock
from tests.cli.mirrors import (
    BUILD,
    DATE,
    HELLO,
    INDEX,
    INRELEASE,
    LOCK,
    OUT,
    STORE,
    UPGRADE,
    Liar,
    archive,
    other,
    write_recipe,
)

# --- another lock ----------------------------------------------------------------------------------------------------

DIGEST = {name: hashlib.sha256(data).hexdigest() for name, data in archive().items()}
WRONG = hashlib.sha256(archive(b"wrong")[HELLO]).hexdigest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (DIGEST[HELLO], WRONG),
        ("hello_1.0_amd64", "hello_1.1_amd64"),
        ("pool/main/h/hello", "pool/main/h/other"),
        ("pool/main/h/hello", "../hello"),
        (DIGEST[INRELEASE], "0" * 64),
        (DIGEST[INDEX], "0" * 64),
        (f"{DATE:%Y-%m-%dT%H:%M:%SZ}", "2020-01-01T00:00:00Z"),
    ],
    ids=["package", "version", "path", "outside", "InRelease", "index", "date"],
)
def test_a_lock_edited_by_hand_is_refused(old: str, new: str, liar: Liar) -> None:
    text = LOCK.read_text()
    assert old in text
    LOCK.write_text(text.replace(old, new))
    what = r"path: .*\.\./hello.* is not what belongs here" if ".." in new else "the lock has been edited"
    look = ["lock", "r.toml"]
    for command in (BUILD, [*BUILD, "--locked"], [*BUILD, "--offline"], look, [*look, "--check"], [*look, "--prove"]):
        said = liar.refused(command, what)
        assert str(LOCK) in said
    assert liar.server.seen == []


def forged(lock: Lock, **values: Any) -> Lock:
    """The lock with another hello, as if it had been made so."""

    def one(package: LockedPackage) -> LockedPackage:
        return replace(package, **values) if package.name == "hello" else package

    return replace(lock, packages=tuple(one(package) for package in lock.packages))


def forged_archive(lock: Lock, **values: Any) -> Lock:
    (it,) = lock.archives
    return replace(lock, archives=(replace(it, **values),))


def earlier(lock: Lock, when: str) -> Lock:
    moment = int(datetime.fromisoformat(when).timestamp())
    return replace(forged_archive(lock, date=when), source_date_epoch=moment)


def forged_index(lock: Lock) -> Lock:
    (it,) = lock.archives[0].indices
    return forged_archive(lock, indices=(replace(it, sha256="0" * 64),))


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (lambda lock: forged(lock, sha256=WRONG), f"sha256 is {WRONG}, the index says {DIGEST[HELLO]}"),
        (lambda lock: forged(lock, version="1.1"), "no index of it lists this version"),
        (lambda lock: forged(lock, path="pool/hello"), "path is pool/hello, the index says pool/main/h/hello"),
        (lambda lock: forged_archive(lock, inrelease_sha256="0" * 64), "nobody has the InRelease of trixie of .* any"),
        (lambda lock: earlier(lock, "2026-01-01T00:00:00Z"), "is not what the lock says of it"),
        (lambda lock: forged_archive(lock, signed_by=("A" * 40,)), "the recipe does not trust who signed"),
        (forged_index, "the signed Release does not list this main/binary-amd64/Packages.xz"),
    ],
    ids=["package", "version", "path", "InRelease", "date", "signer", "index"],
)
def test_a_forged_lock_is_not_proved(forge: Callable[[Lock], Lock], message: str, liar: Liar) -> None:
    """Its own digest fits, and the mirror may play along: the chain up to the signature does not."""
    lock = read_lock(LOCK)
    assert lock
    write_lock(LOCK, forge(lock))
    liar.lies(HELLO, lambda handler, data: handler.reply(200, other(data)))
    liar.refused(["lock", "r.toml", "--check", "--prove"], message)


def test_a_forged_lock_alone_builds_nothing(liar: Liar) -> None:
    lock = read_lock(LOCK)
    assert lock
    write_lock(LOCK, forged(lock, sha256=WRONG))
    liar.refused([*BUILD, "--locked"], "hello_1.0_amd64.deb cannot be fetched", f"than the lock names.* not {WRONG}")


# --- without the network ---------------------------------------------------------------------------------------------

_reached: list[tuple[str, Any]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        _reached.append((event, arguments[1:]))


@pytest.fixture(scope="module")
def hook() -> None:
    """Python tells of every attempt to reach something, from wherever in the program."""
    sys.addaudithook(_hook)


@pytest.fixture
def reached(hook: None) -> list[tuple[str, Any]]:  # noqa: ARG001  cannot be taken away again, so it is there once
    _reached.clear()
    return _reached


def test_locked_asks_nobody_what_else_there_is(liar: Liar, reached: list[tuple[str, Any]]) -> None:
    write_recipe(liar.server.url("/debian"), "hello", "kmod")
    liar.refused([*BUILD, "--locked"], "the recipe has changed since it was locked", "x.lock.toml recipe_sha256")
    LOCK.unlink()
    liar.refused([*BUILD, "--locked"], "there is no lock")
    assert reached == []
    assert liar.server.seen == []


def test_offline_reaches_for_nothing(liar: Liar, reached: list[tuple[str, Any]]) -> None:
    liar.refused(
        [*BUILD, "--offline"], "3 of the files .* are not in the store", "the network is ruled out", "hello_1.0"
    )
    liar.refused([*UPGRADE, "--offline"], "InRelease of trixie must be fetched", "the network is ruled out")
    liar.refused(["lock", "r.toml", "--prove", "--offline"], "the network is ruled out")
    LOCK.rename("kept")
    liar.refused([*BUILD, "--offline"], "there is no lock")
    liar.refused(["lock", "r.toml", "--offline"], "InRelease of trixie must be fetched", "the network is ruled out")
    Path("kept").rename(LOCK)
    assert reached == []
    assert liar.server.seen == []
    liar.right()
    assert {event for event, _ in reached} >= {"socket.connect"}, "this is how it would have shown"
    reached.clear()
    hello = STORE / "objects" / DIGEST[HELLO][:2] / DIGEST[HELLO]
    (OUT / "rootfs.tar.zst").unlink()
    liar.right([*BUILD, "--offline"])
    hello.unlink()
    (OUT / "rootfs.tar.zst").unlink()
    liar.refused([*BUILD, "--offline", "--store", "other"], "3 of the files .* are not in the store")
    liar.refused([*BUILD, "--offline", "--locked"], "1 of the files .* not in the store", "hello_1.0")
    assert reached == []


def test_another_mirror_needs_no_other_lock(liar: Liar) -> None:
    write_recipe(liar.server.url("/honest/debian"))
    assert call(["lock", "r.toml", "--check"]) == 0
    liar.second_mirror()
    liar.right()
