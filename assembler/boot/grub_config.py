"""The grub.cfg of a live ISO: screen and serial console, and the entries of the menu. Syntax as in the GRUB manual,
"Shell-like scripting".
"""

import re

from assembler.boot.loader import Entry, Live, entries
from assembler.errors import AssembleError


def grub_config(live: Live, marker: str) -> str:
    """The text of grub.cfg.

    `marker` is the path of a file that only this image has, by which GRUB finds its own medium; the initrd does by
    ``livecd.medium=`` (initramfs/lib/medium.sh). Raises AssembleError for parameters that GRUB cannot pass on.
    """
    return _HEAD.format(marker=quoted(marker), timeout=live.timeout) + _menu(live)


def loopback_config(live: Live) -> str:
    """The text of loopback.cfg: the same menu for a GRUB of somebody else's that has mounted the ISO as a file.

    By custom, that has set ``root`` to the mounted ISO and ``iso_path`` to the file's path on its disk. Raises
    AssembleError as :func:`grub_config` does.
    """
    return "# For a GRUB that has mounted this medium from the file $iso_path.\n" + _menu(live, _FILE)


_FILE = ' "iso-scan/filename=$iso_path"'

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


def _menu(live: Live, more: str = "") -> str:
    return "".join(_entry(live, entry, more) for entry in entries(live, parameters(live.cmdline)))


def _entry(live: Live, entry: Entry, more: str) -> str:
    return (
        f"menuentry {quoted(entry.title)} --id {entry.name} {{\n"
        f"  linux {live.kernel} {' '.join(map(quoted, entry.arguments))}{more}\n"
        f"  initrd {live.initrd}\n"
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
