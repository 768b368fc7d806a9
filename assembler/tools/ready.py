"""From pins to programs that may run: fetched, proved, laid out."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from assembler.debian.fetch import fetch_packages
from assembler.lockfile.model import LockedToolbox
from assembler.lockfile.toml import format_tools, parse_tools
from assembler.store.download import OfflineError, TransportError
from assembler.tools.locking import lock_tools
from assembler.tools.source import ToolSource
from assembler.tools.supply import Supply
from assembler.tools.toolbox import Toolbox
from assembler.tools.trust import ToolTrustError, prove

_KIND = "pinned-tools-1"


def open_tools(tools: LockedToolbox, source: ToolSource, supply: Supply) -> Toolbox:
    """The programs of `tools`. Nothing of them has been run before all is proved.

    Raises ToolTrustError when something cannot be proved, TransportError when it cannot be had.
    """
    proved = prove(tools, source, supply)
    fetch_packages(proved.packages, tools.archives, **supply.means)
    return Toolbox.open(supply.store, proved, supply.store.root / "logs")


def open_pinned(names: Sequence[str], architecture: str, source: ToolSource, supply: Supply) -> Toolbox:
    """The programs of the packages `names` for a build machine of `architecture`, for what no lock pins.

    Their pins are kept in the store, and made anew when the archives have moved on so far that they cannot be had.
    Raises as :func:`open_tools` and :func:`assembler.tools.locking.lock_tools`.
    """
    store = supply.store
    key = sha256(repr((source.sources, sorted(source.least.items()), tuple(names), architecture)).encode()).hexdigest()

    def pin(path: Path) -> None:
        path.write_text(format_tools(lock_tools(names, architecture, source, supply)), "utf-8")

    def opened() -> Toolbox:
        path = store.derived(_KIND, key, pin)
        return open_tools(parse_tools(path.read_text("utf-8"), str(path)), source, supply)

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
