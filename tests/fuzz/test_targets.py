"""A short run of every target, the same each time; scripts/fuzz runs them for long."""

import resource
import signal
import time
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from tests.fuzz.harness import Report, Target, attempt, fuzz, limits
from tests.fuzz.seeds import found
from tests.fuzz.targets import TARGETS

_FEW = 12
"""Inputs of targets that write images, besides their seeds: they are slow."""
_MANY = 60


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_read_ends_well_or_explained(name: str) -> None:
    target = TARGETS[name]
    seeds = len(target.seeds()) + len(found(name))
    report = fuzz(name, target, seed=1, inputs=seeds + (_FEW if name in {"iso", "contents"} else _MANY))
    assert report.findings == {}
    assert report.accepted, "not even a seed is read"


@pytest.mark.parametrize("name", TARGETS)
def test_most_seeds_are_read(name: str, tmp_path: Path) -> None:
    """What is not read at once is never changed deep inside."""
    read = 0
    seeds = TARGETS[name].seeds()
    for number, data in enumerate(seeds):
        (tmp_path / str(number)).mkdir()
        how, wrong = attempt(TARGETS[name].run, data, tmp_path / str(number))
        assert not wrong
        read += how == "accepted"
    assert read * 2 > len(seeds)


def _of(run: object) -> Report:
    target = Target(run=run, seeds=lambda: [b"seed"])  # type: ignore[arg-type]  # functions below
    return fuzz("x", target, seed=1, inputs=3)


def test_an_error_without_explanation_is_a_finding() -> None:
    def run(data: bytes, directory: Path) -> None:
        raise ValueError(data, directory)

    (finding,) = _of(run).findings
    assert finding.startswith("ValueError at test_targets.py")


def test_an_explained_one_is_none() -> None:
    def run(data: bytes, directory: Path) -> None:
        raise AssembleError(str((data, directory)))

    report = _of(run)
    assert (report.inputs, report.accepted, report.findings) == (3, 0, {})


def test_too_much_memory_is_a_finding() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)

    def run(data: bytes, directory: Path) -> None:
        assert data
        assert directory
        bytes(2 << 30)

    (finding,) = _of(run).findings
    assert finding.startswith("MemoryError")
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    with limits(1 << 20), pytest.raises(MemoryError):
        bytes(100 << 20)


def test_too_much_time_is_a_finding(tmp_path: Path) -> None:
    def run(data: bytes, directory: Path) -> None:
        assert data
        assert directory
        while True:
            time.sleep(0.01)

    before = signal.getsignal(signal.SIGALRM)
    assert attempt(run, b"x", tmp_path, seconds=0.1)[0] == "slow"
    assert signal.getsignal(signal.SIGALRM) is before


def test_the_same_seed_makes_the_same_inputs() -> None:
    def recorded() -> list[bytes]:
        inputs: list[bytes] = []
        target = Target(run=lambda data, _: inputs.append(data), seeds=lambda: [b"some seed"], tokens=(b"token",))
        fuzz("x", target, seed=7, inputs=50)
        return inputs

    assert recorded() == recorded()
    assert len(set(recorded())) > 40
