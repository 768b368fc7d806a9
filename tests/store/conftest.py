"""Transports that the tests of the store share."""

from collections.abc import Iterator

import pytest

from assembler.store.transport import Transport


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01) as it:
        yield it


@pytest.fixture
def hasty() -> Iterator[Transport]:
    """One that calls a server stalled very soon."""
    with Transport(backoff=0.01, stall_timeout=1.5) as it:
        yield it
