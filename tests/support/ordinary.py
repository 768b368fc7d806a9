"""What tests need that would give files away, where an ordinary user runs them."""

import os

import pytest


@pytest.fixture(autouse=True)
def chown_by_anybody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only root can give files away, a chown that does nothing comes first on PATH; root has the real one."""
    if os.geteuid():
        directory = tmp_path_factory.mktemp("bin")
        (directory / "chown").write_text("#!/bin/sh\n")
        (directory / "chown").chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
