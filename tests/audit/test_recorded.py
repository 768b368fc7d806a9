"""What a lock records of a build, and where another build begins to be otherwise."""

from collections.abc import Mapping
from dataclasses import replace

from assembler.audit.recorded import Mismatch, mismatches, record, same_inputs
from assembler.image.manifest import Artifact, Layers, StepResult
from assembler.lockfile.toml import format_lock, parse_lock
from tests.lockfile.test_toml import LOCK

HASHED = "d6c69b5039fdfd92f04e8c05c0e8e981c66d603a6d9cc39cd197f7f8dd0e26d3"


def made(inputs: Mapping[str, str], outputs: Mapping[str, str], contents: Mapping[str, str]) -> StepResult:
    return StepResult(
        key="0" * 64,
        inputs={"assembler": "code", **inputs},
        outputs=tuple(Artifact(name=name, size=1, sha256=sha256) for name, sha256 in outputs.items()),
        contents=contents,
        metadata={},
    )


BUILT: Layers = {
    "kernel": {"image": made({"package linux": "1"}, {"vmlinuz": "1" * 64, "config": "2" * 64}, {})},
    "rootfs": {
        "tree": made({"rootfs.hostname": "x"}, {}, {"listing.txt": "3" * 64}),
        "tar.gz": made({"rootfs.tree": "key"}, {"rootfs.tar.gz": "4" * 64}, {}),
    },
    "livecd": {"iso": made({"rootfs.tree": "key", "kernel.image": "key"}, {"node.iso": "5" * 64}, {})},
}


def otherwise(layer: str, step: str, **values: object) -> Layers:
    changed = replace(BUILT[layer][step], **values)  # type: ignore[index,arg-type]  # names and values of the tests' own
    return {**BUILT, layer: {**BUILT[layer], step: changed}}  # type: ignore[dict-item,index]


def output(name: str, digit: str) -> tuple[Artifact, ...]:
    return (Artifact(name=name, size=1, sha256=digit * 64),)


def test_a_record_is_part_of_the_lock() -> None:
    recorded = record(BUILT)
    assert [one.name for one in recorded.outputs] == ["config", "node.iso", "rootfs.tar.gz", "vmlinuz"]
    assert [one.name for one in recorded.layers] == ["kernel.image", "livecd.iso", "rootfs.tar.gz", "rootfs.tree"]
    assert {one.name: one.sha256 for one in recorded.layers}["rootfs.tree"] == "3" * 64, "the listing's own"
    assert parse_lock(format_lock(replace(LOCK, build=recorded)), "x").build == recorded


def test_the_same_build_has_no_mismatch() -> None:
    assert mismatches(record(BUILT), BUILT) == ()


def test_a_difference_is_told_where_it_begins() -> None:
    """The tree differs, and with it the ISO, which is made of it; the kernel and the tar do not."""
    changed = otherwise("rootfs", "tree", contents={"listing.txt": "9" * 64})
    changed = {**changed, "livecd": otherwise("livecd", "iso", outputs=output("node.iso", "8"))["livecd"]}
    assert mismatches(record(BUILT), changed) == (
        Mismatch("rootfs.tree", (), begins=True),
        Mismatch("livecd.iso", ("node.iso",), begins=False),
    )


def test_one_of_several_files() -> None:
    outputs = (*output("vmlinuz", "1"), *output("config", "7"))
    (found,) = mismatches(record(BUILT), otherwise("kernel", "image", outputs=outputs))
    assert found == Mismatch("kernel.image", ("config",), begins=True)


def test_files_that_are_made_no_more_or_never_were() -> None:
    without: Layers = {layer: steps for layer, steps in BUILT.items() if layer != "livecd"}
    assert mismatches(record(BUILT), without) == (Mismatch("", ("node.iso",), begins=True),)
    assert mismatches(record(without), BUILT) == (Mismatch("livecd.iso", ("node.iso",), begins=True),)


def test_another_recipe_is_not_compared_and_another_assembler_is() -> None:
    recorded = record(BUILT)
    assert not same_inputs(recorded, otherwise("rootfs", "tree", inputs={"assembler": "code", "rootfs.hostname": "y"}))
    assert same_inputs(recorded, otherwise("rootfs", "tree", inputs={"assembler": "new", "rootfs.hostname": "x"}))
    # Keys of other steps have the assembler's code in them.
    iso = {"assembler": "new", "rootfs.tree": "another key", "kernel.image": "another key"}
    assert same_inputs(recorded, otherwise("livecd", "iso", inputs=iso))


def test_secrets_are_hashed_as_published_locks_have_them() -> None:
    """A hash of today is one of every later version; each build has 16 bytes of salt of its own."""
    first = record(BUILT, "a secret")
    assert [len(part) for part in first.secrets.split("$")] == [32, 64]
    written = replace(first, secrets=f"00112233445566778899aabbccddeeff${HASHED}")
    assert same_inputs(written, BUILT, "a secret")
    assert not same_inputs(written, BUILT, "another")
