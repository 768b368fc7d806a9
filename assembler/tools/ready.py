"""From pins to programs that may run: fetched, proved, laid out."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from assembler.debian.fetch import fetch_packages
from assembler.debian.mirrors import Mirrors
from assembler.lock.model import LockedToolbox
from assembler.lock.toml import format_tools, parse_tools
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.store.transport import OfflineError, Transport, TransportError
from assembler.tools.locking import lock_tools
from assembler.tools.source import ToolSource
from assembler.tools.toolbox import Toolbox
from assembler.tools.trust import ToolTrustError, prove

_KIND = "pinned-tools-1"


def open_tools(
    tools: LockedToolbox,
    source: ToolSource,
    *,
    transport: Transport,
    store: Store,
    mirrors: Mirrors,
    now: datetime,
    reporter: Reporter = SILENT,
) -> Toolbox:
    """The programs of `tools`. Nothing of them has been run before all is proved.

    Raises ToolTrustError when something cannot be proved, TransportError when it cannot be had.
    """
    proved = prove(tools, source, transport=transport, store=store, mirrors=mirrors, now=now, reporter=reporter)
    fetch_packages(proved.packages, tools.archives, store=store, transport=transport, mirrors=mirrors)
    return Toolbox.open(store, proved, store.root / "logs")


def open_pinned(
    names: Sequence[str],
    architecture: str,
    source: ToolSource,
    *,
    transport: Transport,
    store: Store,
    mirrors: Mirrors,
    now: datetime,
    reporter: Reporter = SILENT,
) -> Toolbox:
    """The programs of the packages `names` for a build machine of `architecture`, for what no lock pins.

    Their pins are kept in the store, and made anew when the archives have moved on so far that they cannot be had.
    Raises as :func:`open_tools` and :func:`assembler.tools.locking.lock_tools`.
    """
    key = sha256(repr((source.sources, sorted(source.least.items()), tuple(names), architecture)).encode()).hexdigest()

    def pin(path: Path) -> None:
        tools = lock_tools(
            names,
            architecture,
            source,
            transport=transport,
            store=store,
            mirrors=mirrors,
            now=now,
            reporter=reporter,
        )
        path.write_text(format_tools(tools), "utf-8")

    def opened() -> Toolbox:
        path = store.derived(_KIND, key, pin)
        tools = parse_tools(path.read_text("utf-8"), str(path))
        return open_tools(tools, source, transport=transport, store=store, mirrors=mirrors, now=now, reporter=reporter)

    before = store.has_derived(_KIND, key)
    try:
        return opened()
    except OfflineError:
        raise
    except (TransportError, ToolTrustError):
        if not before:
            raise
        (store.results / _KIND / key).unlink(missing_ok=True)
        return opened()
