"""The grub.cfg of a live ISO: screen and serial console, and entries for a normal start, one without a state disk and
one that ends in a rescue shell. Syntax as in the GRUB manual, "Shell-like scripting".
"""

import re

from assembler.errors import AssembleError
from assembler.image.names import ISO_INITRD, ISO_KERNEL

CONSOLES = {
    "amd64": ("console=tty0", "console=ttyS0,115200"),
    "arm64": ("console=tty0", "console=ttyAMA0,115200"),
}
"""Kernel parameters by architecture; the last one becomes /dev/console where it exists."""


def grub_config(
    *, title: str, marker: str, medium: str, architecture: str, state: str = "auto", cmdline: str = "", timeout: int = 1
) -> str:
    """The text of grub.cfg.

    `marker` is the path of a file that only this image has, by which GRUB finds its own medium; `medium` is the value
    of ``livecd.medium=``, by which the initrd does (initramfs/lib/medium.sh). `state` is the value of
    ``livecd.state=`` in the normal entry; `cmdline` holds further kernel parameters, double quotes around those with
    spaces; `timeout` is in seconds. Raises AssembleError for parameters that GRUB cannot pass on.
    """
    common = [f"livecd.medium={medium}", *CONSOLES[architecture], *parameters(cmdline)]
    entries = (
        ("normal", title, [f"livecd.state={state}"]),
        ("no-state", f"{title} (changes are lost at power-off)", ["livecd.state=none"]),
        ("rescue", f"{title} (rescue shell)", [f"livecd.state={state}", "livecd.rescue"]),
    )
    menu = "".join(_entry(name, text, [*own, *common]) for name, text, own in entries)
    return _HEAD.format(marker=quoted(marker), timeout=timeout) + menu


_HEAD = """\
# The medium this menu belongs to, and of several the one that GRUB itself came from; a signed GRUB takes any that has
# /.disk/info.
search --no-floppy --file --set=root --hint "$root" {marker}
# UEFI firmware brings its own consoles, a serial one included where it is configured; a BIOS knows only the screen.
if [ "$grub_platform" = pc ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
set default=normal
set timeout={timeout}
"""


def _entry(name: str, title: str, arguments: list[str]) -> str:
    return (
        f"menuentry {quoted(title)} --id {name} {{\n"
        f"  linux {ISO_KERNEL} {' '.join(map(quoted, arguments))}\n"
        f"  initrd {ISO_INITRD}\n"
        "}\n"
    )


def parameters(cmdline: str) -> list[str]:
    """The kernel parameters in `cmdline`, split at spaces outside double quotes, as the kernel does, and unquoted.

    Raises AssembleError for characters that do not survive: GRUB would escape them on the way to the kernel.
    """
    if re.search(r"[\\'\x00-\x08\x0a-\x1f\x7f]", cmdline) or cmdline.count('"') % 2:
        raise AssembleError(
            "GRUB cannot pass these kernel parameters on",
            why=repr(cmdline),
            hint="leave out backslashes, single quotes, control characters and unpaired double quotes",
        )
    return [part.replace('"', "") for part in re.findall(r'(?:[^\s"]|"[^"]*")+', cmdline)]


def quoted(text: str) -> str:
    """One word of GRUB's shell."""
    if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII):
        return text
    return "'" + text.replace("'", "'\\''") + "'"
