"""How packages for tools are got: from where, into which store, at what time."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from assembler.debian.mirrors import Mirrors
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.store.transport import Transport


class Means(TypedDict):
    """What functions that fetch packages take."""

    transport: Transport
    store: Store
    mirrors: Mirrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """The way to packages."""

    transport: Transport
    store: Store
    mirrors: Mirrors
    now: datetime
    """An aware time, by which signatures and dates are checked."""
    reporter: Reporter = SILENT

    @property
    def means(self) -> Means:
        """These, as keyword arguments."""
        return {"transport": self.transport, "store": self.store, "mirrors": self.mirrors}
