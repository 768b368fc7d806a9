"""The cache that a unit of systemd's makes when the machine first boots, where scripts have made none that it finds:
that of udev's hardware database, of files that a recipe brings (systemd-hwdb-update.service(8)).

The unit gives up after 90 seconds, which an emulated machine may well need; then the cache would be missing after all.
What other units make anew on each first boot (the journal's catalogue, ldconfig's cache) takes them a tenth of a second
and less, and is in the image already.
"""

from assembler.tree.staging import Tree

UNIT = "systemd-hwdb-update.service"
_UNITS = "/usr/lib/systemd/system"
_DATABASE, _OWN_DATABASE = "/usr/lib/udev/hwdb.bin", "/etc/udev/hwdb.bin"
_FILES, _OWN_FILES = "/usr/lib/udev/hwdb.d", "/etc/udev/hwdb.d"
_DROP_IN = b"""\
# The image has no such cache, so that this has to end well, however slow the machine is.
[Service]
TimeoutSec=infinity
"""


def prepare(tree: Tree) -> None:
    """Let the unit in `tree` take the time that it needs, if it will have something to do."""
    runs = not tree.exists(_DATABASE) or tree.exists(_OWN_DATABASE) or tree.names(_OWN_FILES)
    has_files = any(name.endswith(".hwdb") for place in (_FILES, _OWN_FILES) for name in tree.names(place))
    if runs and has_files and tree.is_file(f"{_UNITS}/{UNIT}"):
        tree.write(f"{_UNITS}/{UNIT}.d/10-patience.conf", _DROP_IN, parents=True)
