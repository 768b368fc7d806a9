"""A private copy of a cloud-init seed, with SSH keys added.

The keys go into meta-data's ``public-keys``, as a cloud would hand them out (cloud-init's NoCloud data source and its
module cc_ssh), so user-data stays as it is, whatever kind it is of. The instance-id stays as well: it is the same
machine, and what it does once it has done. A node whose cloud-init has the module ssh run always, as
recipes/files/90-livecd.cfg has it, takes the keys whenever it starts; any other when its state disk is new.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from assembler import yamltext
from assembler.errors import AssembleError, Place
from assembler.formats.iso import write_iso
from assembler.image.datasource import SEED
from assembler.vm.isofile import read_volume

LARGEST_META = 1 << 18
"""Bytes of meta-data at most."""
_TYPES = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-sha2-")
"""How the type of a public key begins (sshd(8), AUTHORIZED_KEYS FILE FORMAT)."""


class SeedError(AssembleError):
    """A key or a seed that cannot be used."""


def read_key(path: Path) -> str:
    """The public keys in `path`, one a line, as ssh-keygen writes them. Raises SeedError when there is none."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SeedError("the SSH key cannot be read", where=Place(file=str(path)), why=str(error)) from error
    if "PRIVATE KEY" in text:
        raise SeedError("this is a private key", where=Place(file=str(path)), hint=f"the public one is {path}.pub")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or not all(line.startswith(_TYPES) and len(line.split()) >= 2 for line in lines):
        raise SeedError("this is no SSH public key", where=Place(file=str(path)), hint="make one with ssh-keygen")
    return "\n".join(lines)


def with_keys(seed: Path, keys: Sequence[str], out: Path) -> Path:
    """Write to `out`, as an ISO, the seed `seed` with `keys` (lines of public keys) added; returns `out`.

    Raises SeedError when `seed` is no seed, AssembleError when it is neither an ISO nor a FAT file system.
    """
    files = read_volume(seed, [f"/{name}" for name in SEED.files])
    if f"/{SEED.user_data}" not in files:
        raise SeedError("this is no cloud-init seed", where=Place(file=str(seed)), why="it has no user-data")
    path = f"/{SEED.meta_data}"
    if keys:
        files[path] = _meta_data(files.get(path, b""), "\n".join(keys).splitlines(), Place(file=str(seed), path=path))
    write_iso(out, files, label=SEED.label, epoch=0, joliet=True)
    return out


def _meta_data(data: bytes, keys: Sequence[str], where: Place) -> bytes:
    """Meta-data with more public keys."""
    if len(data) > LARGEST_META:
        raise SeedError(f"meta-data has more than {LARGEST_META} bytes", where=where)
    try:
        meta = yamltext.loads(data.decode()) or {}
    except ValueError as error:  # YamlError, or not UTF-8
        raise SeedError("meta-data is no YAML", where=where) from error
    if not isinstance(meta, dict):
        raise SeedError("meta-data is no YAML mapping", where=where)
    meta.setdefault("instance-id", "nocloud")
    meta["public-keys"] = _listed(meta.get("public-keys")) + list(keys)
    return yaml.safe_dump(meta, sort_keys=True).encode()


def _listed(value: Any) -> list[str]:
    """Keys as cloud-init takes them: a text, a list, or a mapping of names to either."""
    if isinstance(value, str):
        return value.splitlines()
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [line for item in values for line in _listed(item)]
