"""The shapes of what a recipe says of the running system: accounts, units, kernel parameters."""

from typing import Annotated

from assembler.recipe.shapes import ACCOUNT, MODE, PATH, Shape

UserName = Annotated[
    str,
    Shape(
        r"[a-z_][a-z0-9_-]{0,31}",
        "a name of a user",
        "lower-case letters, digits, - and _, 32 at most, and no digit in front",
    ),
]
"""The name of a user or group that is made here, as adduser(8) and systemd take it."""

OwnedBy = Annotated[
    str, Shape(f"(?:{ACCOUNT})(?::(?:{ACCOUNT}))?", "an owner", "a user, or a user and a group, as app:app")
]
"""User and perhaps group, as chown(1) takes them."""

Comment = Annotated[
    str, Shape(r"[^\x00-\x1f\x7f:]{0,200}", "a user's full name", "one line of at most 200 characters, without colons")
]
"""The comment of a user (GECOS, passwd(5))."""

SudoRule = Annotated[
    str,
    Shape(r"[^\x00-\x1f\x7f\\#]{1,500}", "a rule of sudoers(5)", "what comes after the user's name, on one line"),
]
"""A rule of sudo's, without the user."""

TreePattern = Annotated[
    str,
    Shape(
        r"(?!/)[^\x00-\x1f\x7f]{1,4096}",
        "a pattern of files",
        "a name, or a path below the directory, with * and ? for what may stand there; * stands for / too",
    ),
]
"""A pattern over what is below a directory."""

UnitText = Annotated[str, Shape(r"[^\x00]{0,1048576}", "text of a unit", "text as systemd.syntax(7) has it")]
"""Text of a unit file."""

DropInName = Annotated[
    str, Shape(r"[A-Za-z0-9_.@-]{1,200}\.conf", "a name of a drop-in", "ends in .conf, as 10-limits.conf")
]
"""Name of a drop-in (systemd.unit(5))."""

SysctlKey = Annotated[
    str,
    Shape(
        r"-?[a-z0-9_][A-Za-z0-9_*?@:-]*(?:[./][A-Za-z0-9_*?@:-]+)+",
        "a kernel parameter",
        "in quotes, as 'net.ipv4.ip_forward' (sysctl.d(5))",
    ),
]
"""Name of a parameter that sysctl(8) sets, perhaps with a minus for one that may be missing."""

SysctlValue = Annotated[
    str, Shape(r"[^\x00-\x1f\x7f]{1,4000}", "a value of a kernel parameter", "a number, or text on one line")
]
"""Value of such a parameter as text."""

ModuleName = Annotated[
    str, Shape(r"[A-Za-z0-9_-]{1,64}", "a name of a module", "as modprobe(8) takes it, as br_netfilter")
]
"""Name of a kernel module."""

Keymap = Annotated[
    str,
    Shape(
        r"|[a-z]{2,12}(?:\([A-Za-z0-9_-]{1,40}\))?(?:,[a-z]{2,12}(?:\([A-Za-z0-9_-]{1,40}\))?){0,3}",
        "a keyboard layout",
        "a layout of xkeyboard-config(7), perhaps with a variant, as 'de' or 'de(nodeadkeys)'",
    ),
]
"""Layouts of a keyboard, or nothing."""

HomeOrShell = Annotated[
    str, Shape(f"|{PATH}", "an absolute path in the image", "begin with /, end with a name; or leave it empty")
]
"""A path in the image, or nothing."""

Below = Annotated[
    str, Shape(f"/|{PATH}", "a directory in the image", "an absolute path, which does not end in /, or / alone")
]
"""A directory in the image, perhaps its root."""

OrNobody = Annotated[
    str,
    Shape(f"|{ACCOUNT}", "an account", "a name as in the image's passwd or group, or its number; or leave it empty"),
]
"""A user or group, or nothing."""

OrNoMode = Annotated[
    str, Shape(f"|{MODE}", "a file mode", "octal permission bits in quotes, as '0755'; or leave it empty")
]
"""Permission bits, or nothing."""
