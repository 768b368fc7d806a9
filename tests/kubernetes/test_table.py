"""The table of releases, and the script that brings it up to date."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.kubernetes.constants import FILE, NAMES
from assembler.kubernetes.parts import CHECKSUMS, known_digests
from assembler.kubernetes.release import COMPANIONS, TABLE, Line, lines, number
from assembler.store.transport import Transport
from tests.kubernetes.test_constants import SOURCE
from tests.proofs.kubernetes_table import KUBERNETES, MODULES, Modules, changes, digests, table, updated


def test_the_table_is_as_the_script_writes_it() -> None:
    assert TABLE.read_text("ascii") == table(lines())


def test_the_checksums_are_as_the_script_writes_them() -> None:
    with Transport(offline=True) as nobody:
        assert CHECKSUMS.read_text("ascii") == "".join(digests(lines(), nobody, []))
    found = [digest for part in known_digests().values() for each in part.values() for digest in each.values()]
    assert {len(digest) for digest in found} == {64}


def test_every_line_is_whole() -> None:
    for minor, line in lines().items():
        assert line.newest.startswith(f"{minor}.")
        assert next(iter(line.kubeadm)) == f"{minor}.0"
        assert list(line.kubeadm) == sorted(line.kubeadm, key=number)
        assert set(line.constants(line.newest)) == set(NAMES)
        assert MODULES.keys() == set(COMPANIONS) == line.companions.keys()


Found = dict[str, Mapping[str, str]]


def old_to_new(changed: Mapping[int, str], gone: frozenset[int] = frozenset()) -> tuple[Found, int]:
    """What comes out where versions change at some patches of thirteen, and some are gone; and how many are read."""
    seen = []

    def read(version: str) -> Mapping[str, str]:
        patch = number(version)[-1]
        seen.append(patch)
        return {} if patch in gone else {"etcd": changed[max(at for at in changed if at <= patch)]}

    return changes("1.34.0", "1.34.12", read), len(seen)


def test_where_constants_change_is_found_with_few_downloads() -> None:
    assert old_to_new({0: "a"}) == ({"1.34.0": {"etcd": "a"}}, 2)
    found, read = old_to_new({0: "a", 2: "b"})
    assert found == {"1.34.0": {"etcd": "a"}, "1.34.2": {"etcd": "b"}}
    assert read < 8
    assert old_to_new({0: "a", 2: "b", 9: "c"})[0].keys() == {"1.34.0", "1.34.2", "1.34.9"}


def test_what_cannot_be_had_is_not_guessed() -> None:
    assert old_to_new({0: "a", 2: "b"}, frozenset({6}))[0].keys() == {"1.34.0", "1.34.2"}
    found, _ = old_to_new({0: "a", 4: "b"}, frozenset({3, 4}))
    assert found == {"1.34.0": {"etcd": "a"}, "1.34.3": {}, "1.34.5": {"etcd": "b"}}
    with pytest.raises(AssembleError, match=r"the source of Kubernetes 1\.34\.12 cannot be had"):
        old_to_new({0: "a"}, frozenset({12}))


class Proxy:
    """Go, with modules of our own: as `go list -m` and `go mod download` print."""

    def __init__(self, directory: Path, listed: Mapping[str, list[str]], there: Mapping[str, set[str]]) -> None:
        self._directory, self._listed, self._there = directory, listed, there

    def __call__(self, *arguments: str) -> str:
        match arguments:
            case ("list", "-m", "-e", "-versions", "-json", module):
                return json.dumps({"Path": module, "Versions": self._listed.get(module, [])})
            case ("list", "-m", "-e", "-json", at):
                module, _, version = at.partition("@")
                return json.dumps({} if version in self._there.get(module, set()) else {"Error": {"Err": "not here"}})
            case ("mod", "download", "-json", at):
                source = self._directory / at.replace("/", "_") / FILE
                source.parent.mkdir(parents=True)
                source.write_text(SOURCE)
                return json.dumps({"Dir": str(self._directory / at.replace("/", "_"))})
        raise AssertionError(arguments)


def test_a_new_minor_version_comes_into_the_table(tmp_path: Path) -> None:
    before = Line(newest="1.37.2", companions=dict.fromkeys(COMPANIONS, "1.2.3"), kubeadm={"1.37.0": {"etcd": "old"}})
    listed = {
        KUBERNETES: ["v1.38.0-beta.0", "v1.38.0", "v1.38.1", "v1.39.0"],
        MODULES["runc"]: ["v1.2.1", "v1.2.7", "v1.3.0"],
    }
    there = {KUBERNETES: {"v1.38.2"}, MODULES["crictl"]: {"v1.38.0"}, MODULES["containerd"]: {"v1.2.4", "v1.2.5"}}
    line = updated("1.38", None, before.companions, Modules(Proxy(tmp_path, listed, there)))
    assert line.newest == "1.38.2", "what a proxy does not list is asked for, too"
    assert line.companions == {
        "containerd": "1.2.5", "runc": "1.2.7", "crictl": "1.38.0", "nerdctl": "1.2.3", "cni-plugins": "1.2.3",
    }  # fmt: skip
    assert line.kubeadm == {"1.38.0": {"coredns": "v1.14.6", "etcd": "3.7.0-0", "pause": "3.10.2"}}
    assert not list(tmp_path.iterdir()), "nothing stays"
    same = updated("1.38", line, line.companions, Modules(Proxy(tmp_path, listed, there)))
    assert same == line
