"""A small archive of real packages on 127.0.0.1, and a mirror of it that lies as a test likes.

Whatever is not there is asked for through a proxy, which is the same server: nothing leaves this machine, and every
request is seen.
"""

import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assembler.api import workspace
from assembler.cli.main import call
from assembler.store.objects import sha256_of
from assembler.store.transport import Transport
from assembler.tools import source as source_of_tools
from tests.debian import debs
from tests.debian.archives import date, source
from tests.lock.test_resolve import base, suite_files
from tests.support.http_server import Handler, Server
from tests.support.tool_source import take_tools_from

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


def other(data: bytes) -> bytes:
    """Other bytes, as many: a package with another program, an index or InRelease of which one byte differs."""
    is_package = data == archive()[HELLO]
    found = archive(b"wrong")[HELLO] if is_package else data[:200] + bytes([data[200] ^ 1]) + data[201:]
    assert len(found) == len(data)
    return found
