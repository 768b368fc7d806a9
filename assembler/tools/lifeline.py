"""Programs that end when this process does, however that ends: nothing can be done about SIGKILL, but by the kernel.

A pipe leads from this process to each program. This process keeps its end for writing, and never writes. When it ends,
the kernel closes that end and, as nobody else has it, sends a signal to those that were named as the owners of the
other one (F_SETOWN, F_SETSIG and O_ASYNC of fcntl(2)): SIGKILL. The other end is inherited by the program, which need
not know of it, and by what it starts. PR_SET_PDEATHSIG would not do: it is about the thread that has started the
program, which ends at once (confinement.py).

Only Linux can name the signal. Elsewhere nothing of this is done.
"""

import contextlib
import fcntl
import os
import signal
import subprocess

_SIGNAL = getattr(fcntl, "F_SETSIG", None)
"""fcntl(2) that says which signal; None where there is none."""


class Lifeline:
    """A pipe to a program. It is cut by `close`, when nobody refers to it any more, or when this process ends."""

    def __init__(self) -> None:
        self._ours = self._theirs = -1
        if _SIGNAL is not None:
            self._theirs, self._ours = os.pipe()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the program inherits."""
        return (self._theirs,) if self._theirs >= 0 else ()

    def tie(self, pid: int, *, group: bool) -> None:
        """Have the program `pid`, which has inherited `descriptors`, end with this process; with `group`, all of the
        process group that it leads.
        """
        if self._theirs < 0:
            return
        # One that has ended already needs none.
        with contextlib.suppress(ProcessLookupError):
            fcntl.fcntl(self._theirs, fcntl.F_SETOWN, -pid if group else pid)
            fcntl.fcntl(self._theirs, _SIGNAL or 0, signal.SIGKILL)
            flags = fcntl.fcntl(self._theirs, fcntl.F_GETFL)
            fcntl.fcntl(self._theirs, fcntl.F_SETFL, flags | os.O_ASYNC)
        os.close(self._theirs)
        self._theirs = -1

    def close(self) -> None:
        """Cut it: the program ends."""
        for descriptor in (self._theirs, self._ours):
            if descriptor >= 0:
                os.close(descriptor)
        self._ours = self._theirs = -1

    def __del__(self) -> None:
        self.close()


class Tied(subprocess.Popen[bytes]):
    """A program that ends with this process."""

    lifeline: Lifeline
