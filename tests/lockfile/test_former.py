"""Locks of former schemas: read, no more believed, and moved to this one with every package as it was."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError, Problems
from assembler.lockfile.errors import LockError
from assembler.lockfile.migrate import migrate
from assembler.lockfile.model import SCHEMA
from assembler.lockfile.toml import format_lock, parse_lock
from tests.lockfile.test_toml import LOCK, STATE

BODY = f"""\
schema = 2
assembler = "0.1.0"
recipe_sha256 = "{"a" * 64}"
source_date_epoch = 1795227046
architecture = "amd64"
build_architecture = "amd64"

[[archives]]
{STATE}
[packages]
"hello_2.10-5_amd64" = {{ roles = ["initrd", "rootfs", "vm"], why = "requested", archive = "trixie", size = 53040, \
sha256 = "{"e" * 64}", path = "pool/main/h/hello/hello_2.10-5_amd64.deb" }}
"libc6_2.41-12_amd64" = {{ roles = ["rootfs"], why = "for hello", archive = "trixie", source = "glibc", \
size = 2847988, sha256 = "{"f" * 64}", path = "pool/main/g/glibc/libc6_2.41-12_amd64.deb" }}
"pigz_2.8-1_amd64" = {{ roles = ["tools"], why = "requested", archive = "trixie", size = 65372, \
sha256 = "{"4" * 64}", path = "pool/main/p/pigz/pigz_2.8-1_amd64.deb" }}
"qemu-utils_1_amd64" = {{ roles = ["vm"], why = "requested", archive = "trixie", size = 1, \
sha256 = "{"5" * 64}", path = "pool/main/q/qemu/qemu-utils_1_amd64.deb" }}

[build]
recipe_sha256 = "{"9" * 64}"
assembler = "0.1.0"

[build.outputs]

[build.layers]
"""
TEXT = f'# A comment.\n\nintegrity = "{hashlib.sha256(BODY.encode()).hexdigest()}"\n{BODY}'


def test_tools_are_apart_now() -> None:
    found = parse_lock(TEXT, "x.lock.toml")
    assert found == replace(LOCK, files=(), images=())
    assert parse_lock(format_lock(found), "x.lock.toml") == found


def test_a_program_of_image_and_tools_is_in_both() -> None:
    both = BODY.replace('["rootfs"]', '["rootfs", "tools"]')
    found = parse_lock(f'integrity = "{hashlib.sha256(both.encode()).hexdigest()}"\n{both}', "x.lock.toml")
    assert [package.name for package in found.tools.packages] == ["libc6", "pigz"]
    assert {package.name: package.roles for package in found.packages}["libc6"] == ("rootfs",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("53040", "53041", "the lock has been edited"),
        ("schema = 2", "schema = 1", "another schema than 4: it says 1"),
        ('build_architecture = "amd64"\n', "", "tools.architecture"),
        ("[packages]", "[[packages]]", "packages"),
        ('roles = ["tools"]', "roles = 1", "roles"),
        ('roles = ["tools"]', 'roles = ["toolz"]', "roles"),
    ],
)
def test_edits_are_found(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises((LockError, Problems)) as caught:
        parse_lock(TEXT.replace(old, new), "x.lock.toml")
    assert message in str(caught.value)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 20), st.text(max_size=5))
def test_damage_never_ends_in_a_traceback(start: int, length: int, instead: str) -> None:
    try:
        parse_lock(TEXT[:start] + instead + TEXT[start + length :], "x")
    except AssembleError as error:
        message = str(error)
    else:
        message = "x"
    assert message.startswith("x")


# --- schema 3 --------------------------------------------------------------------------------------------------------

RECORD = f"""
[build]
recipe_sha256 = "{"9" * 64}"
assembler = "0.1.0"

[build.outputs]
"rootfs.tar.gz" = {{ size = 1, sha256 = "{"8" * 64}" }}

[build.layers]
"rootfs.tree" = {{ sha256 = "{"7" * 64}" }}
"""
"""As a build wrote it that made no ISO."""
ISO = f'"livecd.iso" = {{ sha256 = "{"6" * 64}" }}\n'


def text_of_3(record: str = "") -> str:
    """A lock as schema 3 had it: this one's but for libraries, of which it has none."""
    body = format_lock(LOCK).partition("\nschema")[2].replace(f" = {SCHEMA}\n", "schema = 3\n", 1) + record
    return f'# A comment.\n\nintegrity = "{hashlib.sha256(body.encode()).hexdigest()}"\n{body}'


def test_schema_3_is_read_as_it_was() -> None:
    found = migrate(text_of_3(), "x.lock.toml")
    assert (found.schema, found.left_out) == (3, ())
    assert found.lock == LOCK
    assert parse_lock(text_of_3().replace("\n", "\r\n"), "x") == LOCK
    now = format_lock(found.lock)
    assert (migrate(now, "x").schema, migrate(now, "x").lock) == (SCHEMA, LOCK)
    with pytest.raises(LockError, match="the lock has been edited"):
        parse_lock(text_of_3().replace("53040", "53041"), "x")


def test_a_record_stays_unless_the_image_holds_the_lock() -> None:
    found = migrate(text_of_3(RECORD), "x")
    assert found.left_out == ()
    assert found.lock.build is not None
    assert [output.name for output in found.lock.build.outputs] == ["rootfs.tar.gz"]
    assert parse_lock(format_lock(found.lock), "x") == found.lock
    dropped = migrate(text_of_3(RECORD + ISO), "x")
    assert dropped.lock == LOCK
    assert dropped.left_out == ("the record of outputs: the image holds its lock, and becomes another one",)


def test_what_schema_2_had_besides() -> None:
    found = migrate(TEXT, "x")
    assert found.schema == 2
    assert found.left_out == (
        "the record of outputs: the image holds its lock, and becomes another one",
        "qemu-utils, which no build uses",
    )
    assert found.lock == replace(LOCK, files=(), images=())
