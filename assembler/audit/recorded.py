"""What a lock records of a build, and where another build begins to be otherwise."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from assembler import __version__
from assembler.image.keys import digest
from assembler.image.manifest import Layers, StepResult, artifacts
from assembler.image.names import CODE, LIBRARY
from assembler.lockfile.model import LockedBuild, LockedLayer, LockedOutput


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A step that did not make what is recorded."""

    step: str
    """``rootfs.tree``; empty for outputs that no step of this build makes."""
    outputs: tuple[str, ...]
    """Those of its files in the output directory that are not as recorded."""
    begins: bool
    """Whether everything of this build that the step is made of is as recorded, so that the difference is its own."""


def record(built: Layers, secrets: str = "") -> LockedBuild:
    """What a lock is to say of a whole build; `secrets` as of :func:`assembler.layers.step.secrets_sha256`."""
    steps = dict(_steps(built))
    return LockedBuild(
        recipe_sha256=_inputs(steps),
        secrets=_hashed(secrets, os.urandom(_SALT).hex()),
        assembler=__version__,
        outputs=tuple(LockedOutput(name=one.name, size=one.size, sha256=one.sha256) for one in artifacts(built)),
        layers=tuple(LockedLayer(name=step, sha256=made_sha256(made)) for step, made in sorted(steps.items())),
    )


def same_inputs(recorded: LockedBuild, built: Layers, secrets: str = "") -> bool:
    """Whether a build from the same lock had the recipe, its files and its arguments as the recorded one had them."""
    if recorded.recipe_sha256 != _inputs(dict(_steps(built))):
        return False
    return recorded.secrets == _hashed(secrets, recorded.secrets.partition("$")[0] or "00")


_SALT = 16
"""Bytes of a salt."""


def _hashed(secrets: str, salt: str) -> str:
    """A hash that tells nobody of the secrets, as locks are published: `salt` in hex, and scrypt (RFC 7914).

    With N = 2^15 and r = 8 a guess takes 32 MiB and a tenth of a second, and one for each recorded build.
    """
    if not secrets:
        return ""
    hashed = hashlib.scrypt(secrets.encode(), salt=bytes.fromhex(salt), n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32)
    return f"{salt}${hashed.hex()}"


def mismatches(recorded: LockedBuild, built: Layers) -> tuple[Mismatch, ...]:
    """The steps of a build that did not make what is recorded, the causes first.

    A file that is not recorded counts as well as one that this build did not make.
    """
    layers = {layer.name: layer.sha256 for layer in recorded.layers}
    outputs = {output.name: output.sha256 for output in recorded.outputs}
    steps = dict(_steps(built))
    differing = {step for step, made in steps.items() if layers.get(step) != made_sha256(made)}
    found = [
        Mismatch(
            step,
            tuple(one.name for one in steps[step].outputs if outputs.get(one.name) != one.sha256),
            begins=not differing & steps[step].inputs.keys(),
        )
        for step in sorted(differing)
    ]
    missing = outputs.keys() - {artifact.name for artifact in artifacts(built)}
    if missing:
        found.append(Mismatch("", tuple(sorted(missing)), begins=True))
    return tuple(sorted(found, key=lambda one: not one.begins))


def made_sha256(made: StepResult) -> str:
    """SHA-256 (hex) for what a step made: its file's, or one over those of its files, by name."""
    files = {**made.contents, **{artifact.name: artifact.sha256 for artifact in made.outputs}}
    return next(iter(files.values())) if len(files) == 1 else digest(files=files)


def _steps(built: Layers) -> Iterator[tuple[str, StepResult]]:
    for layer, steps in built.items():
        for step, made in steps.items():
            yield f"{layer}.{step}", made


def _inputs(steps: Mapping[str, StepResult]) -> str:
    """One digest for what went into all steps but code and libraries: other versions may make the same."""
    derived = {CODE, *steps}
    return digest(
        steps={
            step: {
                name: value
                for name, value in made.inputs.items()
                if name not in derived and not name.startswith(f"{LIBRARY} ")
            }
            for step, made in steps.items()
        }
    )
