"""A program on a terminal of its own, as somebody sees it who types."""

import os
import pty
import re
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class Terminal:
    """What was typed into, and what came."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.shown = b""

    def type(self, text: str) -> None:
        """As from the keyboard."""
        os.write(self.descriptor, text.encode())

    def wait_for(self, pattern: bytes, seconds: float = 60) -> "re.Match[bytes]":
        """What of all that is shown from now on matches `pattern`, a regular expression; fails when nothing does."""
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self.shown)) is None:
            assert time.monotonic() < end, self.shown
            if select.select([self.descriptor], [], [], 0.1)[0]:
                self.shown += os.read(self.descriptor, 1 << 12)
        self.shown = self.shown[found.end() :]
        return found


@contextmanager
def on_terminal(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """`command` in `directory`; it is hung up on in the end."""
    child, descriptor = pty.fork()
    if child == 0:
        os.chdir(directory)
        os.execve(command[0], list(command), dict(environment))  # noqa: S606  as a list, and without a shell
    try:
        yield Terminal(descriptor)
    finally:
        os.close(descriptor)
        os.waitpid(child, 0)
