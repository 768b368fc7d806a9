"""The machine as QEMU is told of it."""

from pathlib import Path

import pytest

from assembler.architecture import AMD64, ARCHITECTURES, ARM64, Architecture
from assembler.guest.hardware import CountedHardware, arguments, described
from assembler.vm.qemu import Emulator


def argv(architecture: Architecture, firmware: Path | None = None) -> list[str]:
    hardware = CountedHardware(
        architecture=architecture,
        kernel=Path("/kernel"),
        initrd=Path("/initrd"),
        disk=Path("/scratch/disk"),
        size=4 << 20,
        clock=1767225600,
        firmware=firmware,
    )
    return arguments(Emulator(command=("qemu",), reach=()), hardware)


def after(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_instructions_are_counted_and_nothing_is_shared(architecture: Architecture) -> None:
    words = argv(architecture)
    assert after(words, "-icount") == "shift=0,sleep=off"
    assert after(words, "-rtc") == "base=2026-01-01T00:00:00,clock=vm"
    assert after(words, "-smp") == "1"
    assert "nvdimm=on" in after(words, "-machine").split(",")
    assert not {"-netdev", "-nic", "-fsdev", "-virtfs", "-drive", "-accel kvm"}.intersection(words)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_the_kernel_does_not_measure_what_is_known(architecture: Architecture) -> None:
    words = after(argv(architecture), "-append").split(" ")
    assert f"console={architecture.counted.console}" in words
    assert len([word for word in words if word.startswith("initcall_blacklist=")]) == 1
    assert set(architecture.counted.parameters) <= set(words)
    # Each once, or the last would count.
    names = [word.partition("=")[0] for word in words]
    assert len(names) == len(set(names))


def test_the_clock_of_an_amd64_processor_is_that_of_its_instructions() -> None:
    words = after(argv(AMD64), "-append").split(" ")
    assert "tsc_early_khz=1000000" in words  # shift=0: one in 10⁻⁹ s
    assert not [word for word in after(argv(ARM64), "-append").split(" ") if word.startswith("tsc")]


def test_firmware_is_given_where_there_is_some() -> None:
    assert after(argv(ARM64, Path("/uefi")), "-bios") == "/uefi"
    assert "-bios" not in argv(AMD64)


def test_what_decides_bytes_is_in_the_description() -> None:
    first = described(AMD64, clock=1, seed=1)
    others = [described(AMD64, clock=2, seed=1), described(AMD64, clock=1, seed=2), described(ARM64, clock=1, seed=1)]
    assert first == described(AMD64, clock=1, seed=1)
    assert all(first != other for other in others)


def test_random_numbers_of_processors_come_from_the_seed() -> None:
    # rdrand, and RNDR, which of QEMU's models without a vector unit only `max` has.
    assert "+rdrand" in after(argv(AMD64), "-cpu").split(",")
    assert after(argv(ARM64), "-cpu").split(",")[0] == "max"
    for architecture in ARCHITECTURES.values():
        assert "random.trust_cpu=on" in after(argv(architecture), "-append").split(" ")
