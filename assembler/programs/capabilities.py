"""File capabilities: the text of cap_from_text(3) as the extended attribute that Linux reads (capabilities(7))."""

import re
import struct
from collections.abc import Sequence

from assembler.errors import AssembleError, Place
from assembler.tree.staging import Kind, Tree

XATTR = "security.capability"
# In the order of their numbers in <linux/capability.h>.
_NAMES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip
_REVISION_2 = 0x02000000
_EFFECTIVE = 1
_ALL = (1 << len(_NAMES)) - 1


class CapabilityError(AssembleError):
    """A text that names no set of capabilities for a file."""


def encode(text: str) -> bytes:
    """The value of ``security.capability`` (``struct vfs_cap_data`` of revision 2) for a text as ``cap_net_raw+ep``.

    Raises CapabilityError for text that is wrong, or that gives the effective flag to some of the capabilities only,
    which a file cannot hold.
    """
    sets = {"e": 0, "p": 0, "i": 0}
    for clause in text.split():
        match = re.fullmatch(r"([a-z0-9_,]*)((?:[=+-][eip]*)+)", clause.lower())
        if match is None:
            raise CapabilityError(f"{clause!r} is no clause of capabilities")
        mask = _mask(match[1])
        if not match[1] and not match[2].startswith("="):
            raise CapabilityError(f"{clause!r} names no capability")
        for operator, flags in re.findall(r"([=+-])([eip]*)", match[2]):
            if operator == "=":
                sets = {flag: value & ~mask for flag, value in sets.items()}
            for flag in flags:
                sets[flag] = sets[flag] & ~mask if operator == "-" else sets[flag] | mask
    permitted, inheritable = sets["p"], sets["i"]
    if sets["e"] not in {0, permitted | inheritable}:
        raise CapabilityError(f"{text!r} makes only some capabilities effective, which a file cannot hold")
    magic = _REVISION_2 | (_EFFECTIVE if sets["e"] else 0)
    low = 0xFFFFFFFF
    return struct.pack("<5I", magic, permitted & low, inheritable & low, permitted >> 32, inheritable >> 32)


def _mask(names: str) -> int:
    mask = 0
    for name in filter(None, names.split(",")):
        if name == "all":
            mask |= _ALL
        elif name.removeprefix("cap_") in _NAMES:
            mask |= 1 << _NAMES.index(name.removeprefix("cap_"))
        else:
            raise CapabilityError(f"there is no capability {name!r}")
    return mask if names else _ALL


def setcap(tree: Tree, arguments: Sequence[str]) -> None:
    """``setcap [-q] TEXT FILE [TEXT FILE]...``; ``-r`` for a text removes them. Links are followed.

    Raises CapabilityError.
    """
    words = [word for word in arguments if word not in {"-q", "-f"}]
    if not words or len(words) % 2:
        raise CapabilityError("setcap takes pairs of capabilities and a file", why=" ".join(arguments))
    for text, path in zip(words[::2], words[1::2], strict=True):
        inode = tree.at(path, follow=True)
        if inode.kind is not Kind.FILE:
            raise CapabilityError("only a regular file can have capabilities", where=Place(path=path))
        if text == "-r":
            inode.xattrs.pop(XATTR, None)
        else:
            inode.xattrs[XATTR] = encode(text)
