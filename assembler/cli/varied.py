"""A build that is varied from inside: the program that ``assemble reproduce`` starts for its second build.

    python -P -m assembler.cli.varied SECONDS SEED [ARGUMENTS OF assemble ...]

It sees a clock that is SECONDS ahead, has one processor, and gets the entries of every directory in an order drawn from
SEED. All of that is for Python and what it loads: the tools that it starts are told no time of the host's, see
tools/toolbox.py.
"""

import datetime as dt
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any, Self


class ShiftedDatetime(dt.datetime):
    """A ``datetime`` whose idea of now is that of ``time.time``."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> "ShiftedDatetime":
        """The shifted time."""
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> "ShiftedDatetime":
        """The shifted time, in UTC and without saying so."""
        return cls.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)


def shift_clock(seconds: int) -> None:
    """Let every clock that tells the time of day be `seconds` ahead."""
    now, now_ns, gmtime, localtime, ctime = time.time, time.time_ns, time.gmtime, time.localtime, time.ctime

    def of(function: Callable[[float], Any]) -> Callable[..., Any]:
        return lambda at=None: function(now() + seconds if at is None else at)

    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + seconds * 10**9
    time.gmtime, time.localtime, time.ctime = of(gmtime), of(localtime), of(ctime)
    dt.datetime = ShiftedDatetime  # type: ignore[misc]  # that is the point


class _Shuffled:
    """What ``os.scandir`` gives, in another order."""

    def __init__(self, entries: Any, draw: random.Random) -> None:
        with entries:
            found = list(entries)
        draw.shuffle(found)
        self._entries = iter(found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return next(self._entries)

    def close(self) -> None:
        """Nothing is open."""


def shuffle_directories(seed: int) -> None:
    """Give the entries of directories in an order drawn from `seed`."""
    draw = random.Random(seed)  # noqa: S311  an order, not a secret
    listdir, scandir = os.listdir, os.scandir

    def shuffled(path: Any = ".") -> list[Any]:
        found = listdir(path)
        draw.shuffle(found)
        return found

    os.listdir = shuffled
    os.scandir = lambda path=".": _Shuffled(scandir(path), draw)  # type: ignore[assignment]  # all of it that os.walk uses


def main(arguments: list[str]) -> int:
    """Vary this process, then be ``assemble``; returns the exit status."""
    seconds, seed, *rest = arguments
    shift_clock(int(seconds))
    shuffle_directories(int(seed))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from assembler.cli.main import call  # noqa: PLC0415  only now, so that it finds the world as it is to see it

    return call(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
