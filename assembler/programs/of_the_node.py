"""Programs that make what is each node's own: in an image they leave its place empty, and the node fills it (identity/)."""

from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

_MACHINE_ID = "/etc/machine-id"


def machine_id_setup(process: Process) -> int:
    """systemd-machine-id-setup(1): an empty file, which systemd fills when the node first boots (machine-id(5))."""
    if process.arguments:
        raise Refused("systemd-machine-id-setup with arguments", why=" ".join(process.arguments))
    if not process.tree.lexists(_MACHINE_ID):
        process.tree.write(_MACHINE_ID, b"", 0o444)
    return 0


def dbus_uuidgen(process: Process) -> int:
    """``dbus-uuidgen --ensure``: D-Bus has the machine's identifier by a link, as its own tmpfiles.d makes it."""
    if process.arguments not in (["--ensure"], ["--ensure=/var/lib/dbus/machine-id"]):
        raise Refused("dbus-uuidgen with these arguments", why=" ".join(process.arguments))
    place = "/var/lib/dbus/machine-id"
    if not process.tree.lexists(place):
        process.tree.symlink(_MACHINE_ID, place, parents=True)
    return 0


PROGRAMS: dict[str, Program] = {"systemd-machine-id-setup": machine_id_setup, "dbus-uuidgen": dbus_uuidgen}
