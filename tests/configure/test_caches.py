"""Caches that are in no image."""

import re

from assembler.audit.judge import explanations
from assembler.configure.caches import MADE_AT_BOOT
from assembler.configure.engine import Settings, configure
from assembler.tree.staging import Tree
from tests.debian.unpacked import package

UNITS = "/usr/lib/systemd/system"
NO_LIMIT = {"ldconfig.service"}
"""Have none of their own, so that none has to be taken from them."""


def configured(*paths: str) -> Tree:
    tree = Tree()
    configure(tree, [package(tree, "udev", files=dict.fromkeys(paths, ""))], Settings(0, "amd64"))
    return tree


def test_units_that_make_a_cache_at_boot_are_not_in_a_hurry() -> None:
    tree = configured(*(f"{UNITS}/{unit}" for unit in MADE_AT_BOOT))
    for unit in MADE_AT_BOOT:
        assert "\n[Service]\nTimeoutSec=infinity\n" in tree.read_text(f"{UNITS}/{unit}.d/10-patience.conf")


def test_what_is_there_or_has_no_unit_is_left_alone() -> None:
    (unit, path), *_ = MADE_AT_BOOT.items()
    assert not configured(f"{UNITS}/{unit}", path).exists(f"{UNITS}/{unit}.d")
    assert not configured("/usr/bin/udevadm").exists(UNITS)


def test_what_is_said_to_be_made_at_boot_is() -> None:
    """The oracle's exemptions that name such a unit name one that ends well."""
    named = {unit: each.paths for each in explanations() for unit in re.findall(r"(\S+) makes it at boot", each.reason)}
    assert set(named) == {*MADE_AT_BOOT, *NO_LIMIT}
    for unit, path in MADE_AT_BOOT.items():
        assert path in named[unit]
