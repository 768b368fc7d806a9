"""Nothing runs on a lock's word: what is not signed by who may, is too old, or lies elsewhere, is refused first."""

import gc
import json
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from assembler.architecture import ARCHITECTURES
from assembler.errors import AssembleError
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import LockedPackage, LockedToolbox
from assembler.lockfile.toml import format_tools, parse_tools
from assembler.store.download import OfflineError, TransportError
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tools.locking import lock_tools
from assembler.tools.ready import open_pinned, open_tools
from assembler.tools.source import BUILD, ToolSource, built_in, of_user
from assembler.tools.supply import Supply
from assembler.tools.toolbox import Toolbox
from assembler.tools.trust import ProvedTools, ToolTrustError, hand_on, outdated, prove
from tests.debian import debs
from tests.debian.archives import NOW, date, index, publish, release, signed, source, stanza
from tests.lock.test_resolve import suite_files, where
from tests.support.http_server import Server
from tests.support.reporters import Recorder

DIRECTORIES = (debs.directory("./usr"), debs.directory("./usr/bin"))
DEBS = {
    "tool": debs.deb("tool", *DIRECTORIES, debs.item("./usr/bin/tool", b"#!x", mode=0o755)),
    "libtool": debs.deb("libtool", debs.directory("./usr")),
}
Stanzas = Mapping[str, Mapping[str, str]]
STANZAS: Stanzas = {"tool": {"Depends": "libtool"}, "libtool": {}}


@dataclass
class House:
    """Where tools come from and are kept."""

    server: Server
    store: Store
    source: ToolSource

    def publish(self, stanzas: Stanzas = STANZAS, *, days: int = 1, key: str = "archive") -> None:
        fields = {"Date": date(NOW - timedelta(days=days))}
        for path, data in suite_files("trixie", stanzas, fields, debs=DEBS, key=key).items():
            self.server.serve(f"/debian{path}", data)

    def supply(self, transport: Transport, store: Store | None = None) -> Supply:
        """Without snapshots of what the archive was."""
        mirrors = replace(where(self.server), snapshots=())
        return Supply(transport=transport, store=store or self.store, mirrors=mirrors, now=NOW)

    def lock(self) -> LockedToolbox:
        with Transport(attempts=1) as transport:
            return lock_tools(["tool"], "amd64", self.source, self.supply(transport))

    def prove(self, tools: LockedToolbox, store: Store | None = None, *, offline: bool = False) -> ProvedTools:
        with Transport(offline=offline, attempts=1) as transport:
            return prove(tools, self.source, self.supply(transport, store))

    def open(self, tools: LockedToolbox) -> Toolbox:
        with Transport(attempts=1) as transport:
            return open_tools(tools, self.source, self.supply(transport))


@pytest.fixture
def house(server: Server, store: Store) -> House:
    it = House(server, store, of_user(source()))
    it.publish()
    return it


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("empty") / "store")


def forged(tools: LockedToolbox, **changes: Any) -> LockedToolbox:
    """`tools` with another package `tool`."""
    packages = [replace(each, **changes) if each.name == "tool" else each for each in tools.packages]
    return replace(tools, packages=tuple(packages))


def test_a_lock_of_tools_is_proved_here_and_elsewhere(house: House, empty: Store) -> None:
    tools = house.lock()
    assert [package.name for package in tools.packages] == ["libtool", "tool"]
    assert parse_tools(format_tools(tools), "x") == tools
    assert house.prove(tools).packages == tools.packages
    assert house.prove(tools, empty).architecture == "amd64"


def test_a_store_that_was_filled_proves_without_a_network(house: House, empty: Store) -> None:
    tools = house.lock()
    assert house.prove(tools, offline=True)
    house.prove(tools, empty)
    assert house.prove(tools, empty, offline=True)
    # Also without the note that it was proved, from InRelease and indices.
    with empty.without_results() as bare:
        assert house.prove(tools, bare, offline=True)


def test_without_what_was_signed_nothing_is_proved_offline(house: House, empty: Store) -> None:
    with pytest.raises(ToolTrustError) as caught:
        house.prove(house.lock(), empty, offline=True)
    assert "nobody who is trusted has signed libtool 1.0" in caught.value.what
    assert any("offline" in line for line in caught.value.details)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "0" * 64},
        {"size": 1},
        {"version": "2.0"},
        {"path": "pool/evil.deb"},
        {"name": "mksquashfs"},
        {"architecture": "arm64"},
        {"source": "evil"},
    ],
)
def test_what_nobody_signed_is_refused(house: House, empty: Store, changes: dict[str, object]) -> None:
    tools = forged(house.lock(), **changes)
    for store in (house.store, empty):
        with pytest.raises(ToolTrustError, match="which would run on this machine") as caught:
            house.prove(tools, store)
        assert len(caught.value.details) >= 2, "what was tried"


def test_an_archive_of_somebody_else_counts_for_nothing(house: House) -> None:
    tools = house.lock()
    (locked,) = tools.archives
    for other in (
        replace(locked, root=house.server.url("/evil")),
        replace(locked, suite="evil"),
    ):
        lying = replace(forged(tools, sha256="0" * 64), archives=(other,))
        with pytest.raises(ToolTrustError) as caught:
            house.prove(lying)
        assert "is none of the assembler's own archives" in caught.value.details[0]


def test_another_signer_counts_for_nothing(house: House, empty: Store) -> None:
    tools = house.lock()
    house.publish(key="evil")
    evil = House(house.server, Store(empty.root / "evil"), of_user(source(key="evil"))).lock()
    with pytest.raises(ToolTrustError) as caught:
        house.prove(evil, empty)
    assert re.search(r"signature of InRelease .* is not good|not signed by a trusted", "\n".join(caught.value.details))
    with pytest.raises(ToolTrustError):
        house.prove(tools, empty)


def test_a_package_that_is_still_signed_is_as_good(house: House, empty: Store) -> None:
    tools = house.lock()
    # The archive has moved on, and nobody keeps what it was.
    house.publish({**STANZAS, "another": {}}, days=0)
    assert house.prove(tools, empty).packages == tools.packages


def test_what_was_proved_once_is_handed_on(house: House, empty: Store) -> None:
    tools = house.lock()
    house.publish({**STANZAS, "another": {}}, days=0)
    house.prove(tools, empty)
    with empty.without_results() as bare:
        with pytest.raises(ToolTrustError):
            house.prove(tools, bare, offline=True)
        empty.trusted = False
        hand_on(empty, bare.results)
        with pytest.raises(ToolTrustError):
            house.prove(tools, bare, offline=True)
        empty.trusted = True
        hand_on(empty, bare.results)
        assert house.prove(tools, bare, offline=True)
        with pytest.raises(ToolTrustError):
            house.prove(forged(tools, sha256="0" * 64), bare, offline=True)


def test_a_package_that_the_archive_has_dropped_is_refused(house: House, empty: Store) -> None:
    tools = house.lock()
    house.publish({"tool": {"Version": "1.1"}, "libtool": {}}, days=0)
    with pytest.raises(ToolTrustError, match=r"signed tool 1\.0") as caught:
        house.prove(tools, empty)
    assert "trixie as it is now does not have tool so" in caught.value.details


def test_how_many_are_not_proved_is_said(house: House) -> None:
    tools = house.lock()
    with pytest.raises(ToolTrustError) as caught:
        house.prove(forged(tools, sha256="0" * 64))
    assert caught.value.what == "nobody who is trusted has signed tool 1.0, which would run on this machine"
    assert caught.value.why == ""
    both = replace(tools, packages=tuple(replace(each, sha256="0" * 64) for each in tools.packages))
    with pytest.raises(ToolTrustError) as caught:
        house.prove(both)
    assert caught.value.why == "nor 1 more of the lock's tools"
    assert caught.value.details[-1] == "trixie as it is now does not have libtool, tool so"
    assert "run `assemble lock --upgrade-package squashfs-tools`" in caught.value.hint


def test_a_package_of_no_archive_of_the_lock_counts_when_it_is_signed_now(house: House, empty: Store) -> None:
    tools = forged(house.lock(), archive="other")
    assert house.prove(tools).packages == tools.packages
    with pytest.raises(ToolTrustError) as caught:
        house.prove(forged(tools, sha256="0" * 64), empty)
    assert caught.value.details[0] == "tool is of no archive of the lock"
    assert caught.value.why == ""


def test_every_archive_of_the_source_is_asked(house: House, empty: Store) -> None:
    """One that is not there says so, and the next one has it."""
    tools = house.lock()
    elsewhere = source().replace("Suites: trixie", "Suites: gone trixie")
    assert elsewhere != source()
    house.source = of_user(elsewhere)
    moved = replace(tools, archives=())
    assert house.prove(moved).packages == tools.packages
    with pytest.raises(ToolTrustError) as caught:
        house.prove(forged(moved, sha256="0" * 64), empty)
    of_now = [line.partition(":")[0] for line in caught.value.details if "as it is now" in line]
    assert of_now == ["gone as it is now", "trixie as it is now does not have tool so"]


def test_proving_is_told_and_noted(house: House) -> None:
    tools, reporter = house.lock(), Recorder()
    with Transport(attempts=1) as transport:
        supply = replace(house.supply(transport), reporter=reporter)
        assert prove(tools, house.source, supply).packages == tools.packages
        assert (reporter.steps, reporter.advanced) == ([("prove", 2)], 2)
        prove(tools, house.source, supply)
    assert reporter.steps == [("prove", 2)], "what was proved is not followed again"
    (note,) = (house.store.results / "proved-tools-1").iterdir()
    assert json.loads(note.read_text()) == {"packages": 2, "followed": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}


def test_what_is_handed_on_is_for_its_owner_to_write(house: House, tmp_path: Path) -> None:
    house.prove(house.lock())
    hand_on(house.store, tmp_path / "results")
    hand_on(house.store, tmp_path / "results")
    (note,) = (tmp_path / "results/proved-tools-1").iterdir()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "results", note.parent, note)]
    assert modes == [0o700, 0o700, 0o644]


def test_the_least_version_itself_is_new_enough(house: House) -> None:
    tools = house.lock()
    house.source = replace(house.source, least={"libtool": "1.0", "tool": "1.0~", "another": "9"})
    assert outdated(tools.packages, house.source) == []
    house.source = replace(house.source, least={"libtool": "1.0+", "tool": "1.0-0+b1"})
    assert outdated(tools.packages, house.source) == [
        "libtool 1.0 is older than 1.0+",
        "tool 1.0 is older than 1.0-0+b1",
    ]


def test_old_versions_are_refused_though_they_are_signed(house: House) -> None:
    tools = house.lock()
    house.source = replace(house.source, least={"libtool": "1.1"})
    with pytest.raises(ToolTrustError, match="too old") as caught:
        house.prove(tools)
    assert caught.value.details == ("libtool 1.0 is older than 1.1",)
    with pytest.raises(LockError, match="only old versions"):
        house.lock()


def test_a_package_by_a_name_without_least_version_counts_when_it_is_signed_now(house: House, empty: Store) -> None:
    # Before "tool", Debian had the same in "oldtool", and signed that, too.
    house.publish({"oldtool": {}, "libtool": {}}, days=9)
    with Transport(attempts=1) as transport:
        old = lock_tools(["oldtool", "libtool"], "amd64", house.source, house.supply(transport))
    house.source = replace(house.source, least={"libtool": "1.0"})
    assert house.prove(old, empty), "while it is there"
    house.publish()
    with pytest.raises(ToolTrustError, match=r"signed oldtool 1\.0") as caught:
        house.prove(old)
    assert caught.value.details[0] == "oldtool has no least version, so only what is signed now counts"
    with pytest.raises(ToolTrustError, match=r"signed libtool 1\.0"):
        house.prove(replace(old, archives=(), packages=(replace(old.packages[0], sha256="0" * 64),)))


@pytest.mark.parametrize(("suite", "component"), [("sid", "main"), ("trixie", "contrib")])
def test_other_suites_and_components_count_for_nothing_though_the_same_key_signs_them(
    house: House, suite: str, component: str
) -> None:
    stanzas = [stanza(name, data, Version="2.0") for name, data in DEBS.items()]
    files = index(stanzas, component)
    text = release(files, Codename=suite, Suite=suite, Components=component)
    publish(house.server, files, signed(text), suite=suite)
    theirs = House(house.server, house.store, of_user(source(suite=suite).replace("s: main", f"s: {component}"))).lock()
    lying = replace(theirs.archives[0], id="trixie", suite="trixie", components=("main",))
    packages = tuple(replace(package, archive="trixie") for package in theirs.packages)
    house.publish()
    with pytest.raises(ToolTrustError) as caught:
        house.prove(replace(theirs, archives=(lying,), packages=packages))
    why = {"sid": "is that of another suite", "trixie": "it is of no component that is asked for"}[suite]
    assert why in caught.value.details[0]


def test_a_note_in_a_store_of_others_proves_nothing(house: House) -> None:
    tools = house.lock()
    house.prove(tools)
    (note,) = (house.store.results / "proved-tools-1").iterdir()
    assert json.loads(note.read_text())["packages"] == 2
    lying = forged(tools, sha256="0" * 64)
    house.store.trusted = False
    with pytest.raises(ToolTrustError):
        house.prove(lying)
    assert house.prove(tools).packages == tools.packages
    assert [path.name for path in (house.store.results / "proved-tools-1").iterdir()] == [note.name]


def test_only_what_is_proved_is_laid_out(house: House) -> None:
    tools = house.lock()
    assert house.open(tools).find("tool").read_bytes() == b"#!x"
    with pytest.raises(ToolTrustError):
        house.open(forged(tools, sha256="0" * 64))


def test_pins_of_no_lock_are_kept_and_made_anew_when_the_archive_has_dropped_them(house: House) -> None:
    def tool() -> LockedPackage:
        with Transport(attempts=1) as transport:
            box = open_pinned(["tool"], "amd64", house.source, house.supply(transport))
        assert box.find("tool").read_bytes() == b"#!x"
        (pins,) = (house.store.results / "pinned-tools-1").iterdir()
        return next(each for each in parse_tools(pins.read_text(), "x").packages if each.name == "tool")

    house.publish({"tool": {}}, days=3)
    first = tool()
    house.publish({"tool": {"Version": "1.1"}}, days=2)
    assert tool() == first, "what is in the store is enough"
    for digest in [path.name for path in (house.store.root / "objects").glob("*/*")]:
        house.store.path(digest).unlink()
    for kept in (house.store.results / "proved-tools-1").iterdir():
        kept.unlink()
    assert tool().version == "1.1"


def nothing_is_laid_out(house: House) -> bool:
    return not any(house.store.results.glob("toolbox-*/*")) and not any((house.store.root / "tmp").iterdir())


def test_a_package_that_no_mirror_has_any_more_is_named(house: House) -> None:
    tools = house.lock()
    (tool,) = (package for package in tools.packages if package.name == "tool")
    del house.server.answers[f"/debian/{tool.path}"]
    with pytest.raises(TransportError, match=r"tool\S*\.deb") as caught:
        house.open(tools)
    assert "assemble lock --upgrade" in caught.value.hint
    assert nothing_is_laid_out(house)


def test_a_package_that_is_damaged_in_the_store_is_had_anew_or_named(house: House) -> None:
    tools = house.lock()
    house.open(tools)
    shutil.rmtree(next(iter(house.store.results.glob("toolbox-*"))))
    (tool,) = (package for package in tools.packages if package.name == "tool")
    path = house.store.path(tool.sha256)
    good = path.read_bytes()
    for offline in (False, True):
        path.chmod(0o600)
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        store = Store(house.store.root)
        with Transport(attempts=1, offline=offline) as transport:
            if offline:
                with pytest.raises(OfflineError, match="not in the store, or are damaged there") as caught:
                    open_tools(tools, house.source, house.supply(transport, store))
                assert any("tool" in line for line in caught.value.details), caught.value.details
            else:
                root = open_tools(tools, house.source, house.supply(transport, store)).root
                assert path.read_bytes() == good
                assert (root / "usr/bin/tool").is_file()
                shutil.rmtree(root.parent.parent)
    assert nothing_is_laid_out(house)


def test_offline_is_said(house: House, empty: Store) -> None:
    with Transport(offline=True) as transport, pytest.raises(OfflineError):
        lock_tools(["tool"], "amd64", house.source, house.supply(transport, empty))


def test_the_source_that_comes_along() -> None:
    it = built_in()
    assert {(archive.root, archive.suite) for archive in it.archives} == {
        ("debian", "trixie"),
        ("debian", "trixie-updates"),
        ("debian-security", "trixie-security"),
    }
    assert not any(archive.source.key or archive.source.uris for archive in it.archives), "Debian's own"
    assert {
        *BUILD,
        *(name for each in ARCHITECTURES.values() for name in each.emulation.packages),
        "libc6",
    } <= it.least.keys()


def test_nothing_runs_from_a_store_that_others_can_write_to(house: House) -> None:
    tools = house.lock()
    planted = house.open(tools).find("tool")
    assert planted.is_relative_to(house.store.root)
    planted.chmod(0o755)
    planted.write_bytes(b"evil")
    assert house.open(tools).find("tool").read_bytes() == b"#!x", "what is not what was laid out is made anew"
    house.store.trusted = False
    planted.write_bytes(b"evil")
    toolbox = house.open(tools)
    program = toolbox.find("tool")
    assert program.read_bytes() == b"#!x"
    assert not program.is_relative_to(house.store.root)
    deb = house.store.path(next(package.sha256 for package in tools.packages if package.name == "tool"))
    deb.chmod(0o644)
    deb.write_bytes(b"another")
    with pytest.raises(AssembleError, match="tool"):
        house.open(tools)
    del toolbox
    gc.collect()
    assert not program.exists(), "it goes with the toolbox"
