"""A reporter that remembers what it was told."""

from typing import Self

from assembler.progress import Unit


class Recorder:
    """All steps in one: what they are called, how far they came, and every note and message."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.notes: list[str] = []
        self.messages: list[str] = []
        self.warnings: list[str] = []
        self.advanced = 0

    def step(self, name: str, *, total: int = 0, unit: Unit = "steps") -> Self:  # noqa: ARG002  the protocol's
        self.steps.append((name, total))
        return self

    def info(self, text: str) -> None:
        self.messages.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def advance(self, amount: int = 1) -> None:
        self.advanced += amount

    def note(self, text: str) -> None:
        self.notes.append(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...
