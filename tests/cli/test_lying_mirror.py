"""A mirror that lies: whatever it does, nothing wrong is locked or built, and errors tell which trust was broken.

All of it goes through the command line, against a small archive of real packages on 127.0.0.1. Whatever is not there
is asked for through a proxy, which is the same server: nothing leaves this machine, and every request is seen.
"""

import functools
import gzip
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assembler.api import workspace
from assembler.cli.main import call
from assembler.lockfile.model import Lock, LockedPackage
from assembler.lockfile.toml import read_lock, write_lock
from assembler.store.objects import sha256_of
from assembler.store.transport import Transport
from assembler.tools import source as source_of_tools
from tests.debian import debs
from tests.debian.archives import date, source
from tests.http_server import Handler, Server, running
from tests.lock.test_resolve import base, suite_files
from tests.tool_source import take_tools_from

NOW = datetime.now(UTC).replace(microsecond=0)
DATE = NOW - timedelta(hours=2)
TIMES = {"Date": date(DATE), "Valid_Until": date(NOW + timedelta(days=7))}
LOCK, OUT, STORE = Path("x.lock.toml"), Path("out"), Path("store")
UPGRADE = ["lock", "r.toml", "--upgrade"]
BUILD = ["r.toml", "--only", "rootfs"]
TOOLS: dict[str, dict[str, str]] = {name: {} for name in source_of_tools.BUILD}


def package(name: str, text: bytes) -> bytes:
    """A real package with a program, and the accounts that every system has."""
    accounts = {"passwd": b"root:x:0:0:root:/root:/bin/sh\n", "group": b"root:x:0:\n", "shadow": b"root:*:1:0:9:7:::\n"}
    etc = [debs.item(f"./etc/{file}", data) for file, data in accounts.items()] if name == "init" else []
    program = [debs.directory("./usr"), debs.directory("./usr/bin"), debs.item(f"./usr/bin/{name}", text, mode=0o755)]
    return debs.deb(name, debs.directory("./etc"), *etc, *program, compression="", Version="1.0", Architecture="amd64")


@functools.cache
def archive(text: bytes = b"right", *, key: str = "archive", **fields: str) -> Mapping[str, bytes]:
    """The files of an archive, in which hello is `text`; the same for the same arguments."""
    real = {name: package(name, text if name == "hello" else b"") for name in ("hello", "init", "linux-image")}
    return suite_files("trixie", base(hello={}, **TOOLS), {**TIMES, **fields}, debs=real, key=key)


HELLO = "/pool/main/h/hello/hello_1.0_amd64.deb"
INRELEASE = "/dists/trixie/InRelease"
(INDEX,) = (path for path, data in archive().items() if "by-hash" in path and data.startswith(b"\xfd7zXZ"))
PLAIN_INDEX = "/dists/trixie/main/binary-amd64/Packages.xz"


def serve(server: Server, root: str, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        server.serve(f"{root}{path}", data)


def write_recipe(mirror: str, *packages: str, extra: str = "") -> None:
    """A recipe; `extra` is a further field of its source of packages."""
    Path("r.toml").write_text(
        f"name = 'x'\n[debian]\nmirror = '{mirror}'\nsources = '''\n{source(extra)}'''\n"
        f"[kernel]\npackage = 'linux-image'\n[rootfs]\npackages = {list(packages or ('hello',))}\n"
        "[artifacts]\nformats = ['tar.zst']\n"
    )


def tree(directory: Path) -> dict[str, bytes]:
    """The files in `directory` by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()} if directory.is_dir() else {}


@dataclass(frozen=True)
class Build:
    """What honest mirrors give."""

    lock: bytes
    out: Mapping[str, bytes]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """What is built without lies."""
    with running() as server, pytest.MonkeyPatch.context() as patch:
        surroundings(patch, tmp_path_factory.mktemp("honest"), server)
        serve(server, "/debian", archive())
        write_recipe(server.url("/debian"))
        assert call(["lock", "r.toml"]) == 0
        assert call(BUILD) == 0
        assert {"rootfs.tar.zst", "manifest.json", "provenance.json"} < set(tree(OUT))
        yield Build(LOCK.read_bytes(), tree(OUT))


def surroundings(patch: pytest.MonkeyPatch, directory: Path, server: Server) -> None:
    patch.chdir(directory)
    patch.setenv("ASSEMBLE_STORE", str(directory / STORE))
    take_tools_from(source(), directory, patch)
    for name in ("ASSEMBLE_MIRROR", "ASSEMBLE_SNAPSHOT"):
        patch.delenv(name, raising=False)
    patch.setenv("no_proxy", "127.0.0.1")
    for name in ("http_proxy", "https_proxy"):
        patch.setenv(name, server.url(""))


class Liar:
    """A directory with a recipe, its honest lock and something in ``out``, and the mirror that the recipe names."""

    def __init__(
        self, server: Server, honest: Build, patch: pytest.MonkeyPatch, said: pytest.CaptureFixture[str]
    ) -> None:
        self.server, self._honest, self._patch, self._said = server, honest, patch, said
        serve(server, "/debian", archive())
        write_recipe(server.url("/debian"))
        LOCK.write_bytes(honest.lock)
        OUT.mkdir()
        (OUT / "rootfs.tar.zst").write_bytes(b"of an earlier build")

    def patience(self, seconds: float, attempts: int = 2) -> None:
        """How long a server may take, and how often it is asked."""
        made = functools.partial(
            Transport, attempts=attempts, backoff=0.01, connect_timeout=min(seconds, 0.2), stall_timeout=seconds
        )
        self._patch.setattr(workspace, "Transport", made)

    def lies(self, path: str, manner: Callable[[Handler, bytes], None]) -> None:
        """From now on `path` is answered so; an index is not there under another name."""
        right = archive()[path]
        self.server.answers[f"/debian{path}"] = lambda handler: manner(handler, right)

    def second_mirror(self, root: str = "/honest/debian") -> None:
        """There is an honest one, too."""
        serve(self.server, root, archive())
        self._patch.setenv("ASSEMBLE_MIRROR", self.server.url(root))

    def snapshot(self, files: Mapping[str, bytes]) -> None:
        serve(self.server, f"/snapshot/debian/{DATE + timedelta(hours=12):%Y%m%dT%H%M%SZ}", files)
        self._patch.setenv("ASSEMBLE_SNAPSHOT", self.server.url("/snapshot"))

    def refused(self, arguments: list[str], *messages: str) -> str:
        """The command fails, says all of `messages` and what to do, and changes nothing; returns what it says."""
        lock, out = LOCK.read_bytes() if LOCK.exists() else None, tree(OUT)
        self._said.readouterr()
        assert call(arguments) == 1
        said = self._said.readouterr().err
        for message in messages:
            assert re.search(message, said), said
        assert "defect" not in said
        assert "hint: " in said or said.endswith(")\n"), said
        assert (LOCK.read_bytes() if LOCK.exists() else None) == lock, "the lock is as it was"
        assert tree(OUT) == out, "so is what an earlier build left"
        self.nothing_wrong()
        return said

    def asked(self, path: str) -> int:
        """The number of the request for `path`."""
        return [seen for seen, _ in self.server.seen].index(path)

    def nothing_wrong(self) -> None:
        """Every object of the store is what its name says, and one that an honest mirror has."""
        right = {hashlib.sha256(data).hexdigest() for data in archive().values()}
        for path in STORE.glob("objects/*/*"):
            assert sha256_of(path) == path.name
            assert path.name in right

    def right(self, *commands: list[str]) -> None:
        """Locking and building, or one of them, give what they give with honest mirrors."""
        for command in commands or (UPGRADE, BUILD):
            assert call(command) == 0, self._said.readouterr().err
            assert command != BUILD or tree(OUT) == self._honest.out
            assert LOCK.read_bytes() == self._honest.lock
        self.nothing_wrong()


@pytest.fixture
def liar(
    server: Server,
    honest: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Liar:
    surroundings(monkeypatch, tmp_path, server)
    it = Liar(server, honest, monkeypatch, capsys)
    it.patience(30)
    return it


# --- how a file is served --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lie:
    """A way to answer for a file that is asked for, and what is said of it."""

    name: str
    answer: Callable[[Handler, bytes], None]
    """Called with the right bytes."""
    said: str
    """Of what has a digest; ``{}`` stands for who says it."""
    of_release: str = ""
    """Of InRelease; empty for the same."""


def other(data: bytes) -> bytes:
    """Other bytes, as many: a package with another program, an index or InRelease of which one byte differs."""
    is_package = data == archive()[HELLO]
    found = archive(b"wrong")[HELLO] if is_package else data[:200] + bytes([data[200] ^ 1]) + data[201:]
    assert len(found) == len(data)
    return found


def unfinished(handler: Handler, data: bytes) -> None:
    """Half of what is promised, and never more."""
    handler.truncated(data, 0 if handler.headers["Range"] else len(data) // 2)


def unmeasured(handler: Handler, data: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def underrated(handler: Handler, data: bytes) -> None:
    """All bytes, of which half are announced: the rest looks like the next answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) // 2))
    handler.end_headers()
    handler.wfile.write(data)


def dripping_head(handler: Handler, data: bytes) -> None:
    """A header that gets longer and longer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Header: ")
    handler.drip(b"x" * len(data))


def repeat(handler: Handler, data: bytes) -> None:
    while not handler.server.stopping.wait(0.01):
        handler.wfile.write(data * 100)
    handler.close_connection = True


def endless_asides(handler: Handler, _: bytes) -> None:
    """Interim answers, and never the final one."""
    repeat(handler, b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_trailers(handler: Handler, data: bytes) -> None:
    """The right bytes in one chunk, and fields after it without an end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%b\r\n0\r\n" % (len(data), data))
    repeat(handler, b"X-Field: x\r\n")


def endless_detour(handler: Handler, data: bytes) -> None:
    """A redirect whose body has no end."""
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()
    repeat(handler, data)


SHORT = r"it (has|ended after) \d+ (of \d+ bytes|bytes instead of \d+, which {} names)"
NOT_GOOD = "the signature of InRelease of trixie is not good"
BOMB = gzip.compress(bytes(10_000_000))
PAGE = b"\n<!DOCTYPE html><title>Welcome to our network</title>"
QUICK = [
    Lie("unfinished", unfinished, "the connection ended too early"),
    Lie("unmeasured", unmeasured, SHORT, NOT_GOOD),
    Lie("underrated", underrated, SHORT, NOT_GOOD),
    Lie("half", lambda handler, data: handler.reply(200, data[: len(data) // 2]), SHORT, NOT_GOOD),
    Lie("nothing", lambda handler, _: handler.reply(200, b""), SHORT, "InRelease of trixie is not a signed message"),
    Lie(
        "more",
        lambda handler, data: handler.reply(200, data + b"more\n"),
        r"it has \d+ bytes instead of \d+, which {} names",
        "the signature of InRelease of trixie does not cover all of it",
    ),
    Lie(
        "endless",
        lambda handler, data: handler.endless(data * 100),
        "bytes instead of .*, which {} names",
        "InRelease of trixie cannot be fetched\n .* it is larger than 8388608 bytes",
    ),
    Lie(
        "other",
        lambda handler, data: handler.reply(200, other(data)),
        "it sent other bytes than {} names: their SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}",
        NOT_GOOD,
    ),
    Lie(
        "bomb",
        lambda handler, _: handler.reply(200, BOMB, {"Content-Encoding": "gzip"}),
        "bytes instead of .*, which {} names",
        "InRelease of trixie is not a signed message",
    ),
    Lie("page", lambda handler, _: handler.reply(200, PAGE), "it is a web page\n"),
    Lie("gone", lambda handler, _: handler.reply(404, PAGE), "it is not there .HTTP status 404"),
    Lie("broken", lambda handler, _: handler.reply(500, PAGE), "HTTP status 500"),
    Lie("circle", lambda handler, _: handler.reply(302, b"", {"Location": handler.path}), "it redirects in circles"),
    Lie("detour", endless_detour, "it redirects in circles"),
    Lie(
        "local",
        lambda handler, _: handler.reply(302, b"", {"Location": "file:///etc/passwd"}),
        "it redirects to an address that is neither http nor https",
    ),
]
SLOW = [
    Lie("stalled", lambda handler, data: handler.stalled(data, len(data) // 2), "it stalled: "),
    Lie("dripping", lambda handler, data: handler.dripping(data), "it stalled: "),
    Lie("dripping head", dripping_head, "it stalled: "),
    Lie("asides", endless_asides, "it stalled: "),
]
FILES = {
    INRELEASE: ("InRelease of trixie", ""),
    INDEX: ("trixie main/binary-amd64/Packages.xz cannot be fetched", "the signed Release of trixie"),
    HELLO: ("hello_1.0_amd64.deb cannot be fetched", "the lock"),
}
"""What they are called, and who says what they are."""
every_lie = pytest.mark.parametrize("lie", [*QUICK, *SLOW], ids=lambda lie: lie.name)
every_file = pytest.mark.parametrize("path", FILES, ids=["InRelease", "index", "package"])


@every_file
@every_lie
def test_a_lie_is_found_out(lie: Lie, path: str, liar: Liar) -> None:
    liar.lies(path, lie.answer)
    if lie in SLOW:
        liar.patience(0.4)
    name, who = FILES[path]
    said = lie.said.replace("{}", who) if who else lie.of_release or lie.said
    command = BUILD if path == HELLO else UPGRADE
    text = liar.refused(command, name, said, re.escape(liar.server.url(f"/debian{path}")))
    something_else = f"{who} names" in text if who else "does not cover" in text
    assert ("do not trust this mirror" in text) == something_else
    liar.patience(30)
    serve(liar.server, "/debian", archive())
    liar.right(command)


@every_lie
def test_an_honest_mirror_makes_up_for_it(lie: Lie, liar: Liar) -> None:
    for path in FILES:
        liar.lies(path, lie.answer)
    liar.second_mirror()
    if lie in SLOW:
        liar.patience(0.4, attempts=3)
    liar.right()
    for path in FILES:
        assert liar.asked(f"/debian{path}") < liar.asked(f"/honest/debian{path}"), "the liar comes first"


def test_trailers_without_end(liar: Liar) -> None:
    """What has a digest is there by then; InRelease is not."""
    liar.lies(INRELEASE, endless_trailers)
    liar.patience(0.4)
    liar.refused(UPGRADE, "InRelease of trixie cannot be fetched\n .* it stalled: ")
    liar.second_mirror()
    liar.right()


def test_without_a_lock_none_is_made_of_lies(liar: Liar) -> None:
    for path in (INDEX, INRELEASE):
        LOCK.unlink(missing_ok=True)
        liar.lies(path, lambda handler, data: handler.reply(200, other(data)))
        for command in (["lock", "r.toml"], BUILD):
            liar.refused(command, FILES[path][0])


def test_an_index_is_right_under_its_name_and_wrong_under_its_digest(liar: Liar) -> None:
    liar.lies(INDEX, lambda handler, data: handler.reply(200, other(data)))
    liar.server.serve(f"/debian{PLAIN_INDEX}", archive()[INDEX])
    liar.right()


# --- another Release -------------------------------------------------------------------------------------------------


def ago(**times: int) -> str:
    return date(NOW - timedelta(**times))


SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"


def tampered(found: Mapping[str, bytes]) -> bytes:
    return found[INRELEASE].replace(b"Components: main", b"Components: mainx")


OTHERS: Mapping[str, tuple[Callable[[], Mapping[str, bytes]], str]] = {
    "older": (
        lambda: archive(b"wrong", Date=ago(hours=3)),
        "the Release of trixie is older than the one in the lock\n(.*\n)* .*it is dated .*, the lock has seen",
    ),
    "expired": (
        lambda: archive(b"wrong", Valid_Until=ago(minutes=1)),
        "the Release of trixie has expired\n(.*\n)* .*it was valid until",
    ),
    "future": (
        lambda: archive(b"wrong", Date=ago(hours=-1)),
        "the Release of trixie is from the future\n(.*\n)* .*the clock here says",
    ),
    "suite": (
        lambda: archive(b"wrong", Codename="bookworm", Suite="oldstable"),
        "the mirror sent another suite in place of trixie\n(.*\n)* .*it calls itself oldstable and bookworm",
    ),
    "stranger": (lambda: archive(b"wrong", key="stranger"), NOT_GOOD),
    "tampered": (lambda: {INRELEASE: tampered(archive())}, NOT_GOOD),
    "unsigned": (
        lambda: {INRELEASE: archive()[INRELEASE].partition(b"\n\n")[2].partition(SIGNATURE)[0]},
        "InRelease of trixie is not a signed message",
    ),
    "before": (
        lambda: {INRELEASE: b"Codename: trixie\n\n" + archive()[INRELEASE]},
        "the signature of InRelease of trixie does not cover all of it\n .*there is more before the signed text",
    ),
    "after": (
        lambda: {INRELEASE: archive()[INRELEASE] + b"Codename: trixie\n"},
        "the signature of InRelease of trixie does not cover all of it\n .*there is more after its signature",
    ),
    "headers": (
        lambda: {INRELEASE: archive()[INRELEASE].replace(b"\n", b"\nCodename: trixie\n", 1)},
        "the signature of InRelease of trixie does not cover all of it\n .*there is more among its headers",
    ),
    "old text, new signature": (
        lambda: {
            INRELEASE: archive(b"wrong")[INRELEASE].partition(SIGNATURE)[0]
            + SIGNATURE
            + archive()[INRELEASE].partition(SIGNATURE)[2]
        },
        NOT_GOOD,
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_release_is_refused(name: str, liar: Liar) -> None:
    """With its own index and packages, all of which fit it."""
    files, message = OTHERS[name]
    serve(liar.server, "/debian", files())
    liar.refused(UPGRADE, message, re.escape(f"fetched from {liar.server.url(f'/debian{INRELEASE}')}"))
    if name != "older":  # which a lock that is there knows of
        LOCK.unlink()
        liar.refused(BUILD, message)
    liar.second_mirror()
    liar.right()


def test_what_may_have_expired_is_recorded(liar: Liar, honest: Build) -> None:
    """The one check that a recipe can do without, as snapshots of archives have expired long ago."""
    write_recipe(liar.server.url("/debian"), extra="Check-Valid-Until: no")
    serve(liar.server, "/debian", archive(Valid_Until=ago(days=9)))
    LOCK.unlink()
    # For tools, which the recipe has no say in, it is the user's to say.
    liar.refused(BUILD, "the Release of trixie has expired")
    take_tools_from(source("Check-Valid-Until: no"), Path.cwd(), liar._patch)
    assert call(BUILD) == 0
    told = [json.loads(out["provenance.json"])["predicate"]["buildDefinition"] for out in (tree(OUT), honest.out)]
    assert [each["externalParameters"].get("validUntilNotChecked") for each in told] == [["trixie"], None]


def test_a_mirror_that_goes_back_gives_nothing_to_a_build(liar: Liar) -> None:
    """The lock has the package, and the mirror an older one; or another by the same name and version."""
    liar.server.answers.clear()
    serve(liar.server, "/debian", archive(b"wrong", Date=ago(hours=3)))
    liar.refused(BUILD, "hello_1.0_amd64.deb cannot be fetched", "it sent other bytes than the lock names")
    del liar.server.answers[f"/debian{HELLO}"]
    liar.refused(BUILD, "hello_1.0_amd64.deb cannot be fetched", "it is not there", "run `assemble lock --upgrade`")


def test_a_dropped_package_comes_from_a_snapshot_or_not_at_all(liar: Liar) -> None:
    del liar.server.answers[f"/debian{HELLO}"]
    liar.snapshot({HELLO: archive(b"wrong")[HELLO]})
    liar.refused(BUILD, "hello_1.0_amd64.deb cannot be fetched", "/snapshot/.*it sent other bytes than the lock names")
    liar.snapshot({HELLO: archive()[HELLO]})
    liar.right(BUILD)


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
