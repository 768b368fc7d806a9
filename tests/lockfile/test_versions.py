"""Versions of Kubernetes in the lock's file."""

from dataclasses import replace

import pytest

from assembler.errors import AssembleError
from assembler.lockfile.model import LockedVersion
from assembler.lockfile.toml import format_lock, parse_lock
from tests.lockfile.test_toml import LOCK


def test_versions_are_a_line_each() -> None:
    witness = "https://dl.k8s.io/release/stable-1.38.txt"
    versions = (
        LockedVersion(name="etcd", version="3.6.8-0", learned="known"),
        LockedVersion(name="kubernetes", version="1.38.1", learned="publisher", witness=witness),
    )
    text = format_lock(replace(LOCK, kubernetes=versions))
    assert (
        '\n[kubernetes]\n"etcd" = { version = "3.6.8-0", learned = "known" }\n'
        f'"kubernetes" = {{ version = "1.38.1", learned = "publisher", witness = "{witness}" }}\n\n[files]\n'
    ) in text
    for old, new, message in (
        (f', witness = "{witness}"', "", "an address belongs to what was learned from its publisher"),
        ('"known" }', f'"known", witness = "{witness}" }}', "an address belongs to what was learned"),
        ("3.6.8-0", "../3", "version"),
        ('"known"', '"first-use"', "learned"),
    ):
        with pytest.raises(AssembleError, match=message):
            parse_lock(text.replace(old, new), "x")
