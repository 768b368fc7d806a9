"""Programs that make what is each node's own: images leave its place empty, and nodes fill it (identity/)."""

import posixpath

from assembler.programs.accounts import Accounts
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

PLACEHOLDER = b"Each node makes this itself.\n"
"""What is in a file that scripts look for, and no image has."""
CERTIFICATE = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
KEY = "/etc/ssl/private/ssl-cert-snakeoil.key"
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


def iscsi_iname(process: Process) -> int:
    """``iscsi-iname [-p PREFIX]``: a name without its random part; the file that it goes into is made on the node."""
    match process.arguments:
        case []:
            prefix = "iqn.2016-04.com.open-iscsi"
        case ["-p", prefix] if not prefix.startswith("-"):
            pass
        case _:
            raise Refused("iscsi-iname with these arguments", why=" ".join(process.arguments))
    process.print(f"{prefix}:0\n")
    return 0


def nvme(process: Process) -> int:
    """``nvme gen-hostnqn``: a name without its random part; the file that it goes into is made on the node."""
    if process.arguments != ["gen-hostnqn"]:
        raise Refused("nvme with these arguments", why=" ".join(process.arguments))
    process.print("nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-000000000000\n")
    return 0


def zgenhostid(process: Process) -> int:
    """``zgenhostid`` of ZFS 2: the number of this host, by which pools know who has them, is made on the node."""
    if process.arguments or process.tree.lexists("/etc/hostid"):
        raise Refused("zgenhostid with arguments, or where /etc/hostid is there", why=" ".join(process.arguments))
    return 0


def make_ssl_cert(process: Process) -> int:
    """``make-ssl-cert generate-default-snakeoil``: the node makes the certificate; scripts see that it is there."""
    if process.arguments not in (["generate-default-snakeoil"], ["generate-default-snakeoil", "--force-overwrite"]):
        raise Refused("make-ssl-cert with these arguments", why=" ".join(process.arguments))
    tree = process.tree
    group = Accounts(tree).group("ssl-cert")
    if group is None or not all(tree.is_dir(posixpath.dirname(path)) for path in (CERTIFICATE, KEY)):
        raise Refused("make-ssl-cert without its group or its directories")
    if not (tree.lexists(CERTIFICATE) and tree.lexists(KEY)):
        tree.write(CERTIFICATE, PLACEHOLDER, 0o644)
        tree.write(KEY, PLACEHOLDER, 0o640).gid = group.gid
    return 0


def dropbearkey(process: Process) -> int:
    """``dropbearkey -t TYPE -f FILE``: keys of hosts are made on the node."""
    match process.arguments:
        case ["-t", _, "-f", path, *_] if path.startswith("/etc/dropbear/"):
            if process.captured:
                raise Refused("what dropbearkey prints is read")
            return 0
    raise Refused("dropbearkey with these arguments", why=" ".join(process.arguments))


PROGRAMS: dict[str, Program] = {
    "systemd-machine-id-setup": machine_id_setup,
    "dbus-uuidgen": dbus_uuidgen,
    "dropbearkey": dropbearkey,
    "iscsi-iname": iscsi_iname,
    "nvme": nvme,
    "make-ssl-cert": make_ssl_cert,
    "zgenhostid": zgenhostid,
}
