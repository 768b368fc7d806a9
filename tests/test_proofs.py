"""What the proofs say of what they found, and what they put together: scripts/oracle and scripts/breadth themselves run
for a long time, as root.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.audit.judge import Difference, side_of
from assembler.tree.staging import Tree
from tests.measurements import sweep
from tests.proofs import breadth, oracle
from tests.proofs.breadth import PACKAGES, Result, Wish, grouped
from tests.proofs.comparison import BY_NATURE, by_nature, held_against, side_of_directory


def of_dpkg(root: Path, files: dict[str, str]) -> Path:
    """A tree as dpkg would leave it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    for path in (root, *root.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    return root


def of_ours(root: Path, files: dict[str, str], **modes: int) -> Tree:
    """A tree of the assembler's, whose owner is that of the directory `root`."""
    tree = Tree()
    for name, text in files.items():
        tree.write(f"/{name}", text.encode(), modes.get(name.rpartition("/")[2], 0o644), parents=True)
    status = root.stat()
    for _, inode in tree.walk():
        inode.uid, inode.gid = status.st_uid, status.st_gid
    return tree


def found(differences: Sequence[Difference]) -> set[tuple[str, str, str]]:
    return {(one.path, one.aspect, one.reason) for one in differences}


OURS = {"same": "x", "dated": "1", "wrong": "ours", "etc/machine-id": "", "extra": "x"}
FIRST = {"same": "x", "dated": "2", "wrong": "dpkg's", "etc/machine-id": "a", "etc/other": "1"}
SECOND = {"same": "x", "dated": "3", "wrong": "dpkg's", "etc/machine-id": "b", "etc/other": "2"}


def test_what_dpkg_makes_another_one_each_time_is_so_by_nature(tmp_path: Path) -> None:
    """Its content alone, and only where nothing else explains it; all else stays as it is."""
    roots = [of_dpkg(tmp_path / name, files) for name, files in (("first", FIRST), ("second", SECOND))]
    ours = side_of(of_ours(roots[0], OURS, dated=0o600), "ours")
    sides = [side_of_directory(root) for root in roots]
    once, twice = held_against(ours, sides[:1]), held_against(ours, sides)
    (machine_id,) = {reason for path, _, reason in found(once) if path == "/etc/machine-id"}
    assert machine_id
    both = {
        ("/dated", "mode", ""),
        ("/wrong", "content", ""),
        ("/etc/machine-id", "content", machine_id),
        ("/etc/other", "missing", ""),
        ("/extra", "extra", ""),
    }
    assert found(once) == {*both, ("/dated", "content", "")}
    assert found(twice) == {*both, ("/dated", "content", BY_NATURE)}
    assert found(by_nature(once, sides[0], sides[0])) == found(once)


@pytest.mark.parametrize("proof", [oracle, breadth])
@pytest.mark.parametrize("options", [["--twice"], ["--scripts", "executed"]])
def test_a_machine_is_no_judge_of_itself(
    proof: object, options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ["nothing.toml"] if proof is oracle else []
    monkeypatch.setattr("sys.argv", ["proof", *source, *options])
    with pytest.raises(SystemExit) as caught:
        proof.main()  # type: ignore[attr-defined]
    assert caught.value.code == 2
    assert f"{' '.join(options)} is for --chroot" in capsys.readouterr().err


WISHES = [Wish((name,)) for name in "abcdef"]


def names(wishes: Sequence[Wish]) -> list[str]:
    return [wish.name for wish in wishes]


def test_packages_are_tried_together_up_to_a_number() -> None:
    assert names(grouped(WISHES, 4, lambda _: True)) == ["a+b+c+d", "e+f"]
    assert names(grouped(WISHES, 1, lambda _: True)) == list("abcdef")
    assert names(grouped([], 4, lambda _: True)) == []


def test_those_that_cannot_be_beside_each_other_are_apart() -> None:
    """The first group that has room takes one."""

    def fit(wish: Wish) -> bool:
        return not {"a", "b"} <= set(wish.names) and not {"c", "d"} <= set(wish.names)

    assert names(grouped(WISHES, 3, fit)) == ["a+c+e", "b+d+f"]
    assert names(grouped(WISHES, 4, lambda _: False)) == list("abcdef")


def test_those_on_another_base_are_together() -> None:
    others = [Wish((name,), without=("y",)) for name in "vwx"]
    found = grouped([others[0], WISHES[0], *others[1:], WISHES[1]], 2, lambda _: True)
    assert found == [Wish(("v", "w"), without=("y",)), Wish(("a", "b")), others[2]]


def test_each_package_is_in_one_list() -> None:
    data = tomllib.loads(PACKAGES.read_text())
    listed = [
        *(table["name"] for table in data["package"]),
        *(name for names in data["lists"].values() for name in names),
    ]
    assert len(listed) == len(set(listed)) > 300


def test_a_row_says_how_a_package_was_handled() -> None:
    wish = Wish(("a", "b"))
    result = Result(wish, {"a": "1", "b": "2"}, 2, "executed: b", "", 0, executed={"b": "its postinst: x | y"})
    assert result.rows() == {
        "a": "| a | 1 | computed | equal |\n",
        "b": "| b | 2 | executed: its postinst: x \\| y | equal |\n",
    }
    assert replace(result, unexplained=3).rows()["a"] == "| a | 1 | computed | **different** |\n"


def test_causes_are_told_without_where_they_are() -> None:
    perl = "its postinst cannot be computed: line 9: perl is not computed: -e x (/usr/bin/ucf, line 4)"
    config = "its postinst cannot be computed: line 4: /var/lib/dpkg/info/{}.config is not computed: x"
    reasons = [
        ("b", perl),
        ("a", perl),
        ("c", config.format("c")),
        ("d", config.format("d")),
        ("d", config.format("d")),
        ("e", "its preinst cannot be computed: it exits with status 1 in line 5"),
    ]
    assert sweep.listed(reasons).splitlines() == [
        "- a config script that is not for sh is not computed (2): c, d",
        "- perl is not computed (2): a, b",
        "- it exits with status 1 (1): e",
    ]
