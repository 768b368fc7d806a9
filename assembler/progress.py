"""How long work tells of its progress: a protocol that the core calls and the command line implements.

The core never prints. Code that takes a while accepts a :class:`Reporter` and opens a step for each piece of work:

    with reporter.step("download", total=size, unit="B") as step:
        step.advance(len(chunk))
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol, Self

Unit = Literal["B", "items", "steps"]


class Step(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units as done. May be called from any thread."""

    def note(self, text: str) -> None:
        """Say what is being worked on just now (a package name, a file)."""


class Reporter(Protocol):
    """Receives what the build is doing. Implementations must be thread-safe."""

    def step(self, name: str, *, total: int = 0, unit: Unit = "steps") -> AbstractContextManager[Step]:
        """Open a step; `total` is in units, 0 when unknown. Leaving the context ends it."""

    def info(self, text: str) -> None:
        """A line worth keeping ("kernel 6.12.48 reused from the store")."""

    def warn(self, text: str) -> None:
        """Something the user should act upon, though the build goes on."""


class _Silent:
    def step(self, name: str, *, total: int = 0, unit: Unit = "steps") -> "_Silent":  # noqa: ARG002  protocol
        return self

    def info(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def advance(self, amount: int = 1) -> None: ...

    def note(self, text: str) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


SILENT: Reporter = _Silent()
"""A reporter that drops everything; the default of library functions."""
