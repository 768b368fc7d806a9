"""Make a directory of programs that the tests call: independent readers of our formats, QEMU, ssh and the like.

    scripts/test-tools DIRECTORY

Like everything else they come from locked Debian packages and run through their own loader, so the tests need nothing
installed and no privilege, and see the same versions everywhere. Each program is a two-line script in DIRECTORY.
"""

import shlex
import sys
from pathlib import Path

from assembler.debian.deb import open_package
from assembler.errors import Place
from assembler.kernel.elf import parse
from assembler.tools.toolbox import Toolbox
from tests.support.toolboxes import ALL, INDEPENDENT, locked, own_tools

_DIRECTORIES = ("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/")
_CHOSEN = {"awk": "mawk"}
"""Programs that alternatives choose, which packages do not have under these names."""


def main(directory: Path) -> None:
    """Write the scripts into `directory`, replacing what is there."""
    store, lock = locked({"rootfs"})
    toolbox = own_tools(ALL)
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for package in lock.role("rootfs"):
        if package.name not in INDEPENDENT:
            continue
        for member in open_package(store, package.sha256, package.name).members:
            name = member.path.rpartition("/")[2]
            if member.path.removesuffix(name) in _DIRECTORIES and member.type in {"0", "1", "2"}:
                write(directory / name, toolbox, name)
    for name, chosen in _CHOSEN.items():
        write(directory / name, toolbox, chosen)


def write(script: Path, toolbox: Toolbox, name: str) -> None:
    """Write the script that runs the program `name` of `toolbox`; shell programs are left out."""
    program = toolbox.find(name)
    with program.open("rb") as stream:
        start = stream.readline(80)
    settings = toolbox.environment()
    for inherited in ("HOME", "PATH", "TZ"):
        del settings[inherited]
    settings["MKE2FS_CONFIG"] = str(toolbox.root / "etc/mke2fs.conf")
    if start.startswith(b"\x7fELF"):
        static = not parse(program.read_bytes(), Place(file=str(program))).interpreter
        command = [str(program)] if static else toolbox.command(name)
    elif start.startswith(b"#!") and b"perl" in start:
        libraries = toolbox.find("perl").parent.parent
        directories = [*sorted(libraries.glob("lib/*/perl-base")), libraries / "share/perl5"]
        settings["PERL5LIB"] = ":".join(map(str, directories))
        command = [*toolbox.command("perl"), str(program)]
    else:
        return
    variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in sorted(settings.items()))
    script.write_text(f'#!/bin/sh\n{variables} exec {shlex.join(command)} "$@"\n')
    script.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
