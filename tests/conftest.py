"""Fixtures that several rooms share."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from assembler.store.objects import Store
from tests.support.http_server import Server, running

# How long an example takes says more about what else the machine is doing than about the code.
# Every run tries the same examples, so that a change breaks the build and not chance; look for new ones with
#   scripts/test --hypothesis-profile=explore tests/...
hypothesis.settings.register_profile("assembler", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("assembler")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server on 127.0.0.1 that misbehaves as the test likes, reached without the proxy that the host may have."""
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost,nobody.invalid")
    with running() as it:
        yield it


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")
