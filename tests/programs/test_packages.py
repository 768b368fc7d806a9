"""What is answered about packages is what the real dpkg answered, as scripts/packages recorded it."""

import json

import pytest

from assembler.programs import dpkg_asked, dpkg_query
from assembler.programs.packages_known import Fixed, Known
from assembler.shell.evaluate import INITIAL, Shell
from assembler.shell.heads import parsed
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused, Stream
from assembler.tree.staging import Tree
from tests.proofs.packages import RECORDED, answered, packages

CASES = [json.loads(line) for line in RECORDED.read_text().splitlines()]
KNOWN = Fixed(
    "amd64",
    [
        Known(
            {"Package": "foo", "Status": "install ok installed", "Architecture": "amd64", "Version": "1"}, ["/.", "/a"]
        ),
        Known({"Package": "bar", "Status": "install ok unpacked", "Architecture": "all", "Version": "2"}, ["/.", "/a"]),
    ],
)


def test_all_are_as_recorded() -> None:
    different = []
    number = 0
    for status, files, asked in CASES:
        known = packages(status, files)
        for command, expected, output in asked:
            number += 1
            if answered(command, known) != (expected, output):
                different.append((command, status))
    assert number > 400
    assert not different


@pytest.mark.parametrize(
    "command",
    [
        "dpkg-query -W -f '${db-fsys:Files}' foo",
        "dpkg-query -W foo:i386",
        "dpkg-query -l -W foo",
        "dpkg-query -W 'f[^o]o'",
        "dpkg-query -p foo",
        "dpkg-query --control-path foo postinst",
        "dpkg-query -S /a",
        "dpkg -i foo.deb",
        "dpkg --configure -a",
        "dpkg --audit",
        "dpkg --validate-version 1",
        "dpkg --compare-versions -1 lt 2",
        "dpkg-query -W none 2>&1",
        "COLUMNS=80 dpkg -l",
    ],
)
def test_refused(command: str) -> None:
    with pytest.raises(Refused):
        answered(command, KNOWN)


def test_other_architectures_are_refused() -> None:
    foreign = Known({"Package": "foo", "Status": "install ok installed", "Architecture": "i386", "Version": "1"})
    with pytest.raises(Refused, match="several architectures"):
        answered("dpkg -l foo", Fixed("amd64", [foreign]))


def test_whose_a_file_is_that_several_have_may_be_asked_without_an_answer() -> None:
    assert answered("dpkg -S /a >/dev/null", KNOWN) == (0, "")
    assert answered("dpkg -S /b >/dev/null 2>&1", KNOWN) == (1, "")


def test_without_packages_versions_can_still_be_compared() -> None:
    programs = {**dpkg_asked.PROGRAMS, **dpkg_query.PROGRAMS}
    tree = Tree()
    for name in programs:
        tree.write(f"/usr/bin/{name}", b"", 0o755, parents=True)

    def status(command: str) -> int:
        world = World(tree, Budget(), lambda name, _path: programs.get(name))
        streams: dict[int, Stream] = {0: NOWHERE, 1: Pipe(world.budget), 2: NOWHERE}
        return Shell(State(world, {**INITIAL, "PATH": "/usr/bin"}, streams=streams)).script(parsed(command))

    assert status("dpkg --compare-versions '' lt-nl 1") == 1
    assert status("dpkg --compare-versions 1 lt 2") == 0
    for command in ("dpkg -s foo", "dpkg-query -W foo", "dpkg --print-architecture"):
        with pytest.raises(Refused, match="what dpkg knows"):
            status(command)
