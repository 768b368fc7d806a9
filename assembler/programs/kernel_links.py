"""linux-update-symlinks(1) of linux-base 4: links to the newest kernel and its initrd."""

import re

from assembler.shell.process import Process, Program, as_path
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_STEM = re.compile(r"/boot/(vmlinuz|vmlinux)-(\S+)")


def linux_update_symlinks(process: Process) -> int:
    """``linux-update-symlinks install|upgrade VERSION IMAGE`` where there is no other kernel, and no configuration of
    it.
    """
    tree, words = process.tree, process.arguments
    match = _STEM.fullmatch(words[2]) if len(words) == 3 else None
    if match is None or words[0] not in {"install", "upgrade"} or match.group(2) != words[1]:
        raise Refused("linux-update-symlinks with these arguments", why=" ".join(words))
    stem, version = match.groups()
    others = [
        name
        for name in tree.names("/boot")
        if re.match(r"(vmlinuz|vmlinux|initrd\.img)-", name) and not name.endswith(f"-{as_path(version)}")
    ]
    if others or tree.lexists("/etc/kernel-img.conf"):
        raise Refused("which of several kernels linux-update-symlinks chooses")
    names = [stem] if process.environment.get("INITRD") == "No" else [stem, "initrd.img"]
    for name in names:
        for link in (f"/{name}.old", f"/{name}"):
            found = tree.get(link)
            if found is not None and found.kind is not Kind.SYMLINK:
                raise Refused("a kernel's link is something else", why=link)
            target = as_path(f"boot/{name}-{version}")
            if found is None or found.target != target:
                tree.symlink(target, link)
                process.print(f"I: {link} is now a symlink to {target}\n")
    return 0


PROGRAMS: dict[str, Program] = {"linux-update-symlinks": linux_update_symlinks}
