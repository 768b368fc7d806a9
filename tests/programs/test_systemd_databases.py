"""udev's hardware database and the journal's catalogue, as those of Debian 12, 13 and testing made them."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.programs.context import ExecutionContext
from assembler.programs.hwdb import hwdb, systemd_hwdb
from assembler.programs.journal_catalog import DATABASE, update_catalog
from assembler.programs.packages_known import Fixed, Known
from assembler.programs.systemd_files import File
from assembler.programs.tails import Tails
from assembler.shell.process import Process
from assembler.shell.streams import Budget, Pipe, Refused
from assembler.tree.kept import Keep, at_once
from assembler.tree.staging import Tree

DATA = Path(__file__).parent / "data"
VERSIONS = {"252": "252.39-1~deb12u2", "257": "257.13-1~deb13u1", "262": "262-1"}
HWDB, OWN = "/usr/lib/udev/hwdb.d", "/etc/udev/hwdb.d"
CATALOG, LOCAL = "/usr/lib/systemd/catalog", "/usr/local/lib/systemd/catalog"
BIN = "/usr/lib/udev/hwdb.bin"
ONE, TWO = "0" * 31 + "1", "AB" * 16

HARDWARE = {
    f"{HWDB}/20-vendors.hwdb": "# a comment\n\nusb:v1234*\n ID_VENDOR_FROM_DATABASE=Some # here\n\n"
    "usb:v1234p5678*\n ID_MODEL_FROM_DATABASE=Thing\n ID_VENDOR_FROM_DATABASE=Other Some\n\nusb:v12*\n ID_X=1\n",
    f"{HWDB}/60-keyboard.hwdb": "evdev:input:b0003*\nevdev:atkbd:*\n\tnot a property\n  KEYBOARD_KEY_1=a\n"
    " \tKEYBOARD_KEY_2=b \n =none\n no sign\nevdev:in the midst\n KEYBOARD_KEY_3=c\n\nnothing follows\n\n lost=1\n"
    "usb:v1234*\n ID_VENDOR_FROM_DATABASE=Later\n A=\n B==\n",
    f"{HWDB}/70-hidden.hwdb": "usb:v1234*\n HIDDEN=1\n",
    f"{HWDB}/80-empty.hwdb": "",
    f"{HWDB}/README": "usb:v1234*\n README=1\n",
    f"{OWN}/70-hidden.hwdb": "usb:v1234p5*\nusb:v1234p5678*\n MINE=1",
}
MESSAGES = {
    f"{CATALOG}/a.catalog": f"# comment\n\n-- {ONE}\nSubject: First\nDefined-By: A\n\nA text.\n\n\nMore of it.\n\n"
    f"-- {TWO} de\nSubject: Zweite\n\nText.\n",
    f"{CATALOG}/a.de.catalog": f"-- {ONE}\nSubject: Erste\n\nEin Text.\n; a comment\n\n-- {TWO} de\nX: y\n\n",
    f"{CATALOG}/b.pt_BR.catalog": f"-- {ONE}\nSubject: A\n-- not an entry, as no empty line is before it\n\nA text.\n",
    f"{LOCAL}/z.catalog": f"-- {ONE}\nSupport: here\n\n-- {'g' * 32} cut off\nAnother text.\n",
}


def tree_of(files: Mapping[str, str]) -> Tree:
    tree = Tree()
    for path in ("/etc/udev", "/usr/lib/udev", "/var/lib/systemd"):
        tree.mkdir(path, parents=True)
    for path, text in files.items():
        tree.write(path, text.encode(), parents=True)
    return tree


def context_of(tree: Tree, version: str, keep: Keep = at_once) -> ExecutionContext:
    known = [
        Known({"Package": name, "Version": version, "Status": "install ok installed"}) for name in ("systemd", "udev")
    ]
    return ExecutionContext(tree, "amd64", packages=Fixed("amd64", known), keep=keep)


def run(tree: Tree, *words: str, version: str = VERSIONS["257"], keep: Keep = at_once, **environment: str) -> int:
    process = Process(tree, list(words[1:]), environment, "/", 0o022, {}, Budget())
    program = systemd_hwdb if words[0] == "systemd-hwdb" else update_catalog
    return program(process, context_of(tree, version, keep))


# --- hardware -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_hardware_database_is_the_real_ones(version: str) -> None:
    tree = tree_of(HARDWARE)
    tree.symlink("/dev/null", f"{HWDB}/50-null.hwdb")
    assert run(tree, "systemd-hwdb", "--usr", "update", version=VERSIONS[version]) == 0
    assert tree.read(BIN) == (DATA / f"hwdb.bin-{version}").read_bytes()
    assert tree.at(BIN).mode == 0o444


def test_without_its_option_it_comes_into_etc() -> None:
    tree = tree_of(HARDWARE)
    assert run(tree, "systemd-hwdb", "update") == 0
    assert tree.is_file("/etc/udev/hwdb.bin")
    assert not tree.exists(BIN)


def test_without_files_there_is_none_and_what_was_there_goes() -> None:
    tree = tree_of({BIN: "old"})
    assert run(tree, "systemd-hwdb", "--usr", "update") == 0
    assert not tree.exists(BIN)


def test_it_is_kept_by_what_it_is_made_of() -> None:
    asked = []

    def keep(kind: str, inputs: object, make: object) -> dict[str, bytes]:  # noqa: ARG001  nothing is made
        asked.append((kind, inputs))
        return {"hwdb.bin": b"kept"}

    tree = tree_of({f"{HWDB}/a.hwdb": "x\n A=1\n"})
    assert run(tree, "systemd-hwdb", "--usr", "update", keep=keep) == 0
    assert tree.read(BIN) == b"kept"
    assert asked == [("hwdb-1", [257, (f"{HWDB}/a.hwdb", b"x\n A=1\n")])]


@pytest.mark.parametrize("words", [["query", "x"], ["update", "-s"], ["--root=/x", "update"], [], ["update", "x"]])
def test_other_ways_to_call_it_are_refused(words: list[str]) -> None:
    with pytest.raises(Refused):
        run(tree_of(HARDWARE), "systemd-hwdb", *words)


@pytest.mark.parametrize("version", ["", "247.3-7", "259-1", "9" * 5000])
def test_a_version_whose_ways_are_not_known_is_refused(version: str) -> None:
    for words in (("systemd-hwdb", "update"), ("journalctl", "--update-catalog")):
        with pytest.raises(Refused):
            run(tree_of(HARDWARE), *words, version=version)


@pytest.mark.parametrize("text", ["x\r\n A=1\n", "x\0y\n", "x" * (1 << 20) + "\n A=1\n"])
def test_lines_that_do_not_end_as_usual_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        run(tree_of({f"{HWDB}/a.hwdb": text}), "systemd-hwdb", "update")


def test_a_database_of_too_many_properties_is_refused() -> None:
    text = "".join(f"{number}\n" for number in range(1_000)) + "".join(f" K{number}=1\n" for number in range(1_000))
    with pytest.raises(Refused):
        run(tree_of({f"{HWDB}/a.hwdb": text}), "systemd-hwdb", "update")


def properties(database: bytes) -> Iterator[tuple[bytes, bytes, bytes, bytes, int]]:
    """Every match with a key, its value, the file and the line, read as src/libsystemd/sd-hwdb/sd-hwdb.c does."""

    def text(at: int) -> bytes:
        return database[at : database.index(b"\0", at)]

    def below(at: int, before: bytes) -> Iterator[tuple[bytes, bytes, bytes, bytes, int]]:
        prefix, children, values = struct.unpack_from("<QB7xQ", database, at)
        match = before + text(prefix)
        for number in range(values):
            place = at + 24 + 16 * children + 32 * number
            key, value, name, line, _ = struct.unpack_from("<QQQIH", database, place)
            yield match, text(key), text(value), text(name), line
        for number in range(children):
            character, child = struct.unpack_from("<B7xQ", database, at + 24 + 16 * number)
            yield from below(child, match + bytes([character]))

    yield from below(struct.unpack_from("<Q", database, 56)[0], b"")


@given(st.lists(st.tuples(st.text("ab*", min_size=1, max_size=5), st.sampled_from("KL"), st.text("ab=", max_size=3))))
def test_each_match_is_found_with_what_was_said_last(said: list[tuple[str, str, str]]) -> None:
    text = "".join(f"{match}\n {key}={value}\n\n" for match, key, value in said)
    found = hwdb([File("/f", text.encode())], 257)
    expected = {(match, f" {key}"): (value, 3 * number + 2) for number, (match, key, value) in enumerate(said)}
    assert {
        (match.decode(), key.decode()): (value.decode(), line) for match, key, value, name, line in properties(found)
    } == expected
    assert struct.unpack_from("<8sQQ", found) == (b"KSLPHHRH", 257, len(found))


@given(st.lists(st.text("ab", max_size=6).map(str.encode)))
def test_strings_are_at_their_places(texts: list[bytes]) -> None:
    strings = Tails()
    places = [strings.add(text) for text in texts]
    for text, place in zip(texts, places, strict=True):
        assert strings.buffer[place : place + len(text) + 1] == text + b"\0"
        assert strings.add(text) == place


# --- messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_catalogue_is_the_real_ones(version: str) -> None:
    tree = tree_of(MESSAGES)
    assert run(tree, "journalctl", "--update-catalog", version=VERSIONS[version]) == 0
    assert tree.read(DATABASE) == (DATA / "journal-catalog").read_bytes()
    assert tree.at(DATABASE).mode == 0o644


def test_without_messages_there_is_no_catalogue() -> None:
    tree = tree_of({f"{CATALOG}/a.catalog": "# nothing\n"})
    assert run(tree, "journalctl", "--update-catalog") == 0
    assert not tree.exists(DATABASE)


@pytest.mark.parametrize(
    "text",
    [
        "text before a message\n",
        f"-- {ONE}\n-- {TWO}\ntext\n",
        f"-- {ONE}\n\n-- {TWO}\ntext\n",
        f"-- {ONE}\n",
        f"-- {ONE} x\ntext\n",
        f"-- {ONE} {'x' * 32}\ntext\n",
        f"-- {ONE} \ntext\n",
    ],
)
def test_with_a_malformed_file_it_fails_and_leaves_what_was_there(text: str) -> None:
    tree = tree_of({**MESSAGES, f"{CATALOG}/c.catalog": text, DATABASE: "before"})
    works = text.startswith(f"-- {ONE}\n-- ")
    assert run(tree, "journalctl", "--update-catalog") == (0 if works else 1)
    assert (tree.read(DATABASE) == b"before") is not works


@pytest.mark.parametrize("words", [[], ["--flush"], ["--update-catalog", "--root=/x"], ["--sync"]])
def test_other_things_asked_of_journalctl_are_refused(words: list[str]) -> None:
    with pytest.raises(Refused):
        run(tree_of(MESSAGES), "journalctl", *words)


def test_messages_that_pile_up_are_refused() -> None:
    tree = tree_of({f"{CATALOG}/a.catalog": f"-- {ONE}\nS: x\n\nt\n\n" * 4000})
    with pytest.raises(Refused, match="one identifier"):
        run(tree, "journalctl", "--update-catalog")


def test_its_messages_are_not_told_word_for_word() -> None:
    tree = tree_of({f"{CATALOG}/a.catalog": "text\n"})
    process = Process(tree, ["--update-catalog"], {}, "/", 0o022, {2: Pipe(Budget())}, Budget())
    with pytest.raises(Refused):
        update_catalog(process, context_of(tree, VERSIONS["257"]))
