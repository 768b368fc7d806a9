"""A mirror that lies: whatever it does, nothing wrong is locked or built, and errors tell which trust was broken.

All of it goes through the command line, against the archive of :mod:`tests.cli.mirrors`.
"""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from assembler.cli.main import call
from tests.cli.mirrors import (
    BUILD,
    HELLO,
    INDEX,
    INRELEASE,
    LOCK,
    NOW,
    OUT,
    PLAIN_INDEX,
    UPGRADE,
    Build,
    Liar,
    archive,
    other,
    serve,
    tree,
    write_recipe,
)
from tests.debian.archives import date, source
from tests.support.http_server import Handler
from tests.support.tool_source import take_tools_from

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
        "InRelease of trixie cannot be fetched\n(?: .*\n)* .* it is larger than 8388608 bytes",
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
    Lie("circle", lambda handler, _: handler.reply(302, b"", {"Location": handler.path}), "it redirects in a cycle"),
    Lie("detour", endless_detour, "it redirects in a cycle"),
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
    liar.refused(UPGRADE, "InRelease of trixie cannot be fetched\n(?: .*\n)* .* it stalled: ")
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
        (
            "the signature of InRelease of trixie does not cover all of it\n(?: .*\n)*"
            " .*there is more before the signed text"
        ),
    ),
    "after": (
        lambda: {INRELEASE: archive()[INRELEASE] + b"Codename: trixie\n"},
        "the signature of InRelease of trixie does not cover all of it\n(?: .*\n)* .*there is more after its signature",
    ),
    "headers": (
        lambda: {INRELEASE: archive()[INRELEASE].replace(b"\n", b"\nCodename: trixie\n", 1)},
        "the signature of InRelease of trixie does not cover all of it\n(?: .*\n)* .*there is more among its headers",
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
