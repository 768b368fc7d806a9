"""What a unit makes of udev's hardware database when the machine first boots."""

import pytest

from assembler.configure.caches import UNIT, prepare
from assembler.tree.staging import Tree

UNITS = "/usr/lib/systemd/system"
DROP_IN = f"{UNITS}/{UNIT}.d/10-patience.conf"
FILE, OWN = "/usr/lib/udev/hwdb.d/60-keyboard.hwdb", "/etc/udev/hwdb.d/60-mine.hwdb"
DATABASE, OWN_DATABASE = "/usr/lib/udev/hwdb.bin", "/etc/udev/hwdb.bin"


def prepared(*paths: str) -> Tree:
    tree = Tree()
    for path in paths:
        tree.write(path, b"", parents=True)
    prepare(tree)
    return tree


@pytest.mark.parametrize(
    "there",
    [(FILE,), (OWN,), (FILE, DATABASE, OWN), (FILE, DATABASE, OWN_DATABASE)],
    ids=["no database", "the recipe's files alone", "the recipe's files", "a database of its own"],
)
def test_the_unit_is_not_in_a_hurry_where_it_has_to_make_one(there: tuple[str, ...]) -> None:
    tree = prepared(f"{UNITS}/{UNIT}", *there)
    assert "\n[Service]\nTimeoutSec=infinity\n" in tree.read_text(DROP_IN)


@pytest.mark.parametrize("there", [(), (FILE, DATABASE), ("/usr/lib/udev/hwdb.d/README",)])
def test_where_it_has_not_it_is_left_alone(there: tuple[str, ...]) -> None:
    """systemd's condition does not hold, or it finds no files and ends at once."""
    assert not prepared(f"{UNITS}/{UNIT}", *there).exists(f"{UNITS}/{UNIT}.d")


def test_without_the_unit_there_is_nothing_to_do() -> None:
    assert not prepared(FILE).exists(UNITS)
