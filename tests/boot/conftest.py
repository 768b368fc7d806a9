"""The built recipe, and what is needed to start it.

It is built with the command that the README names, into a fresh directory; `ASSEMBLE_TEST_OUT` names a directory that
holds a build already.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.vm.finding import in_toolbox
from assembler.vm.node import Built, built
from assembler.vm.qemu import Emulator
from tests.support.toolboxes import own_tools

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Built:
    given = os.environ.get("ASSEMBLE_TEST_OUT")
    if given:
        return built(Path(given).absolute())
    out = tmp_path_factory.mktemp("livecd") / "out"
    subprocess.run(
        [sys.executable, "-P", "-m", "assembler", "recipes/livecd.toml", "--out", str(out)], cwd=REPOSITORY, check=True
    )
    return built(out)


@pytest.fixture(scope="session")
def emulator() -> Emulator:
    """The assembler's own QEMU, the same everywhere, as `assemble run` has it on a host without one."""
    return in_toolbox(AMD64, own_tools(AMD64.emulation.packages))


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives a TCP port of the loopback that nothing uses."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port

    return find
