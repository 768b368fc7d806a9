"""A download on its way into the store: it is hashed while it arrives, and continues where it stopped."""

import hashlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from assembler.progress import Step
from assembler.store.answer import Answer, body, content_length, continues_at
from assembler.store.download import LARGEST, UNKNOWN, Download
from assembler.store.failures import Failure, StoppedError, WrongError
from assembler.store.objects import CHUNK, Store


class Incoming:
    """An object on its way into the store, in a partial file that outlives this process."""

    def __init__(self, store: Store, item: Download, step: Step, stop: threading.Event) -> None:
        self._store = store
        self._download = item
        self._step = step
        self._stop = stop
        self._path: Path = store.root / "downloads" / partial_name(item)
        self._limit = LARGEST if item.size == UNKNOWN else item.size
        self._size = item.size
        self._have = 0
        self._state = hashlib.sha256()
        self._counted = 0

    def complete(self, ask: Callable[[int], AbstractContextManager[Answer]]) -> str:
        """Fetch what is missing and move the object into the store; returns its digest.

        `ask` gives the answer of an address from a byte on. Empty when what was there before was wrong and is gone now,
        so that the same address deserves another try.
        """
        with self._store.writing(), open(self._path, "a+b", opener=self._store.opener) as out:
            self._size = self._download.size
            self._resume(out)
            resumed = self._have > 0
            try:
                if self._have < self._limit and not self._is_complete():
                    with ask(self._have) as answer:
                        if resumed and not continues_at(answer.response, self._have):
                            self._restart(out)
                            resumed = False
                        self._receive(out, answer)
                self._check()
            except WrongError:
                self._restart(out)
                if resumed:
                    return ""
                raise
        digest = self._state.hexdigest()
        self._store.adopt(self._path, digest)
        return digest

    def _is_complete(self) -> bool:
        """Whether what is here is all, as its digest tells when nobody knows the size."""
        return self._download.size == UNKNOWN and self._state.hexdigest() == self._download.digest

    def _resume(self, out: BinaryIO) -> None:
        self._have, self._state = 0, hashlib.sha256()
        out.seek(0)
        if not self._download.digest:  # the rest could be of another file, and nothing would tell
            self._restart(out)
        while self._have <= self._limit and (chunk := out.read(CHUNK)):
            self._account(chunk)
        if self._have > self._limit:
            self._restart(out)

    def _restart(self, out: BinaryIO) -> None:
        self._have, self._state = out.truncate(0), hashlib.sha256()

    def _account(self, chunk: bytes) -> None:
        self._state.update(chunk)
        self._have += len(chunk)
        if self._counted < self._have <= self._limit:
            self._step.advance(self._have - self._counted)
            self._counted = self._have

    def _check(self) -> None:
        if self._have < self._size:
            raise Failure(f"it ended after {self._have} of {self._size} bytes")
        if self._download.digest and self._state.hexdigest() != self._download.digest:
            named = f" than {self._download.trusted_by} names" if self._download.trusted_by else ""
            found = self._state.hexdigest()
            raise WrongError(
                f"it sent other bytes{named}: their SHA-256 is {found}, not {self._download.digest}",
                self._download.mismatch_hint,
            )

    def _receive(self, out: BinaryIO, answer: Answer) -> None:
        length = content_length(answer.response)
        size = None if length is None else self._have + length
        if self._download.size == UNKNOWN and size is not None:
            self._size = size
        for chunk in body(answer):
            if self._stop.is_set():
                raise StoppedError
            if self._have + len(chunk) > self._limit or size not in {None, self._size}:
                named = f", which {self._download.trusted_by} names" if self._download.trusted_by else ""
                raise WrongError(
                    f"it has {size or 'more'} bytes instead of {self._limit}{named}", self._download.mismatch_hint
                )
            out.write(chunk)
            self._account(chunk)


def partial_name(item: Download) -> str:
    """Where an object waits for its completion: its digest, or one of where it comes from."""
    return item.digest or hashlib.sha256(item.urls[0].encode()).hexdigest()
