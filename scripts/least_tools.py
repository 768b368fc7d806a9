"""Write assembler/tools/least.toml: the least version of each package whose programs run on the build machine.

    scripts/least-tools

They are those that the archives have now, so run it before a release. A lock with older ones is refused afterwards.
"""

import sys
from datetime import UTC, datetime

from assembler.architecture import ARCHITECTURES
from assembler.cli import environment
from assembler.debian.mirrors import choose
from assembler.debian.version import version_key
from assembler.lock.compilers import packages
from assembler.recipe.model import Debian
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.toml.writing import pair, text
from assembler.tools.locking import lock_tools
from assembler.tools.source import BUILD, LEAST, built_in
from assembler.tools.supply import Supply

HEAD = """\
# The least version of each package whose programs run on the build machine: what Debian 13 had when this version of the
# assembler was released. Written by scripts/least-tools.

[least]
"""


def main() -> int:
    """Write the file; returns the exit status."""
    settings = environment.read()
    least: dict[str, str] = {}
    with Transport() as transport:
        supply = Supply(
            transport=transport,
            store=Store(settings.store),
            mirrors=choose(Debian(), override=settings.mirror),
            now=datetime.now(UTC),
        )
        for architecture, host in ARCHITECTURES.items():
            emulators = (each.emulation.packages for each in ARCHITECTURES.values())
            compilers = (packages(target, host) for target in ARCHITECTURES.values())
            for names in (BUILD, *emulators, *compilers):
                tools = lock_tools(names, architecture, built_in(), supply)
                for package in tools.packages:
                    # Architectures may differ by a rebuild.
                    known = least.setdefault(package.name, package.version)
                    least[package.name] = min(known, package.version, key=version_key)
    lines = [f"{pair(text(name), version)}\n" for name, version in sorted(least.items())]
    LEAST.write_text(HEAD + "".join(lines), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
