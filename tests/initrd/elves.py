"""Small ELF files to order, and trees with the host's own programs."""

import struct
import subprocess
from pathlib import Path

from assembler.tools.toolbox import Toolbox
from assembler.tree.content import Slice
from assembler.tree.staging import Tree

_IDENT = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")


def library(*needed: str, soname: str = "", runpath: str = "", interpreter: str = "", machine: int = 62) -> bytes:
    """A file with program headers and a dynamic section, as far as a loader would need them to find libraries."""
    strings = b"\0"
    entries: list[tuple[int, int]] = []
    for tag, text in [(1, name) for name in needed] + [(14, soname), (29, runpath)]:
        if text:
            entries.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    count = 3 if interpreter else 2
    dynamic_at = 64 + count * 56
    strings_at = dynamic_at + (len(entries) + 2) * 16
    interpreter_at = strings_at + len(strings)
    base = 0x10000
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in [*entries, (5, base + strings_at), (0, 0)])
    size = interpreter_at + len(interpreter) + 1
    headers = [(1, base, 0, size), (2, base + dynamic_at, dynamic_at, len(dynamic))]
    if interpreter:
        headers.append((3, base + interpreter_at, interpreter_at, len(interpreter) + 1))
    table = b"".join(struct.pack("<IIQQQQQQ", kind, 0, at, where, 0, n, n, 0) for kind, where, at, n in headers)
    start = _IDENT + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0)
    return start + table + dynamic + strings + interpreter.encode() + b"\0"


def module(**information: str | list[str]) -> bytes:
    """A file with a .modinfo section, as a kernel module has it."""
    items = [
        f"{key}={value}"
        for key, values in information.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    modinfo = "".join(f"{item}\0" for item in items).encode()
    names = b"\0.modinfo\0.shstrtab\0"
    sections = b"".join(
        struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, offset, size, 0, 0, 1, 0)
        for name, offset, size in ((0, 0, 0), (1, 64, len(modinfo)), (10, 64 + len(modinfo), len(names)))
    )
    shoff = 64 + len(modinfo) + len(names)
    start = _IDENT + struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, shoff, 0, 64, 0, 0, 64, 3, 2)
    return start + modinfo + names + sections


def libraries(toolbox: Toolbox, name: str) -> dict[str, Path]:
    """What the loader itself would load for a program of the toolbox: name to file."""
    command = toolbox.command(name)
    loader = command[: command.index("--argv0")]
    listing = [*loader, "--list", str(toolbox.find(name))]
    result = {}
    for line in subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if "=>" in words and not words[0].startswith("/"):
            result[words[0]] = Path(words[2]).resolve()
    own = Path(command[0])
    return {**result, own.name: own.resolve()}


def real_tree(toolbox: Toolbox, *programs: str) -> Tree:
    """A tree with real programs at /usr/sbin and every library file they use, as in Debian's packages."""
    tree = Tree()
    for name in ("bin", "lib", "lib64", "sbin"):
        tree.mkdir(f"usr/{name}", parents=True)
        tree.symlink(f"usr/{name}", name)

    def add(path: str, file: Path) -> None:
        tree.write(path, Slice(str(file), 0, file.stat().st_size), 0o755, parents=True)

    for name in programs:
        add(f"/usr/sbin/{name}", toolbox.find(name).resolve())
        for soname, file in libraries(toolbox, name).items():
            if soname.startswith("ld-"):
                add(f"/usr/lib/x86_64-linux-gnu/{soname}", file)
                tree.symlink(f"../lib/x86_64-linux-gnu/{soname}", f"/usr/lib64/{soname}")
            else:
                # A real file under its long name, and the link that ldconfig or the package makes.
                add(f"/usr/lib/x86_64-linux-gnu/{soname}.real", file)
                tree.symlink(f"{soname}.real", f"/usr/lib/x86_64-linux-gnu/{soname}")
    return tree
