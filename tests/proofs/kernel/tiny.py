"""Compile the tests' tiny kernel for an architecture, and print what was made of what as JSON: names and SHA-256.

python -P -m tests.proofs.kernel.tiny ARCHITECTURE [--jobs NUMBER] [--debug]
"""

import hashlib
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from assembler.architecture import ARCHITECTURES, named, of_machine
from assembler.kernel.locked_tools import opened
from assembler.kernel.vanilla import build
from assembler.lock.compilers import packages
from assembler.store.objects import Store
from tests.support.command import arguments
from tests.support.tiny_kernel import DEBUG, FRAGMENT, source_of_linux, wish
from tests.support.toolboxes import own_tools


def main() -> int:
    """Compile, print; returns the exit status."""
    parser = arguments("tiny", __doc__)
    parser.add_argument("architecture", choices=ARCHITECTURES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--debug", action="store_true", help="with debug information")
    options = parser.parse_args()
    target, host = named(options.architecture), of_machine(platform.machine())
    assert host is not None
    source = source_of_linux()
    toolbox = own_tools(packages(target, host))
    found = {"source": source.name, "toolchain": toolbox.root.parent.name}
    with tempfile.TemporaryDirectory(prefix="assemble-tiny-") as name:
        store = Store(Path(name) / "store")
        with opened(toolbox, store, target, "6.12") as toolchain:
            fragment = FRAGMENT + DEBUG * options.debug
            out = Path(name) / "out"
            build(wish(source, toolchain, fragment, architecture=target), out, store, kind="tiny", jobs=options.jobs)
        for path in sorted(path for path in out.iterdir() if path.is_file()):
            found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
