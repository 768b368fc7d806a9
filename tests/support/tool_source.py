"""Tools from a small archive of tests in place of Debian's: what a user's configuration may say."""

from pathlib import Path

import pytest


def take_tools_from(sources: str, directory: Path, patch: pytest.MonkeyPatch) -> None:
    """Have the command line take tools from the deb822 `sources`; the configuration that says so is in `directory`."""
    path = directory / "config.toml"
    path.write_text(f"[tools]\nsources = '''\n{sources}'''\n")
    patch.setenv("ASSEMBLE_CONFIG", str(path))
