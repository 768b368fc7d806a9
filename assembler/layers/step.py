"""Layers as values: each step of a build with all that goes into it, by name, and how it is made.

A step's key digests its own inputs and nothing else, so a change rebuilds what depends on it and no more; and as the
inputs have names, a change can be explained. Another step among the inputs stands there by its key.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from assembler.image.keys import code_digest, digest
from assembler.image.names import CODE, FACTS, LayerName
from assembler.lockfile.model import LockedPackage
from assembler.store.objects import Store, sha256_of

_DIGESTS = "digests.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One result of a layer: a directory with files."""

    layer: LayerName
    name: str
    """Unique in its layer: ``squashfs``."""
    inputs: Mapping[str, str]
    """All that decides what comes out: a name for people (``rootfs.hostname``, ``package curl``), and a digest, perhaps
    with a version before it."""
    make: Callable[[Path], None]
    """Writes the result into the directory given, which is there and empty. Raises AssembleError, and OSError for a
    full disk."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More of the same, as digests of what is secret, or as good as given away by its digest (a password, a private
    file). They decide the key; nothing that is written for others tells of them."""
    outputs: tuple[str, ...] = ()
    """Those files of the result that go into the output directory."""
    discreet: bool = False
    """Whether nothing of secrets, in this step or in those that it is made of, is in its outputs."""
    cached: bool = True
    """Whether the result stays in the store; otherwise it is made in the output directory, for others do not need
    it."""

    @property
    def label(self) -> str:
        """The step's full name: ``livecd.squashfs``."""
        return f"{self.layer}.{self.name}"

    @property
    def key(self) -> str:
        """SHA-256 (hex) over the inputs and the assembler's code. Where there are secrets, in this step or in those it
        is made of, whoever knows the rest could find them out with it: it is for the store, and for nothing else.
        """
        return _key(self.label, {**self.keyed, **{f"secret {name}": value for name, value in self.secrets.items()}})

    @property
    def keyed(self) -> Mapping[str, str]:
        """The inputs with the assembler's code among them."""
        return {CODE: code_digest(), **self.inputs}

    def in_store(self, store: Store) -> bool:
        """Whether the store has the result."""
        return self.cached and store.has_derived(self._kind, self.key)

    def result(self, store: Store) -> "Result":
        """The result, made when the store does not have it."""

        def make(directory: Path) -> None:
            files = directory / "files"
            files.mkdir(parents=True)
            self.make(files)
            digests = {
                path.relative_to(files).as_posix(): sha256_of(path) for path in files.rglob("*") if path.is_file()
            }
            (directory / _DIGESTS).write_text(json.dumps(digests, sort_keys=True), "ascii")

        directory = store.derived(self._kind, self.key, make, sound=is_sound)
        return Result(directory / "files", _digests(directory))

    @property
    def _kind(self) -> str:
        return f"layer-{self.label}-1"


def _digests(directory: Path) -> dict[str, str]:
    return dict(json.loads((directory / _DIGESTS).read_bytes()))


def is_sound(directory: Path) -> bool:
    """Whether the files of a result in the store are still what was made."""
    try:
        return all(sha256_of(directory / "files" / name) == digest for name, digest in _digests(directory).items())
    except (OSError, ValueError):
        return False


def _key(label: str, inputs: Mapping[str, str]) -> str:
    return digest(step=label, inputs=dict(inputs))


@dataclass(frozen=True, slots=True)
class Published:
    """A step as the manifest tells of it: what depends on secrets in no way."""

    key: str
    """As :attr:`Step.key`, without secrets: the same one where there are none."""
    inputs: Mapping[str, str]
    """As :attr:`Step.keyed`, other steps by their published keys."""


def published(steps: Iterable[Step]) -> dict[str, Published]:
    """What may be told of `steps`, each after those among its inputs, by label."""
    found: dict[str, Published] = {}
    for step in steps:
        inputs = {name: found[name].key if name in found else value for name, value in step.keyed.items()}
        found[step.label] = Published(_key(step.label, inputs), inputs)
    return found


def secrets_sha256(steps: Iterable[Step]) -> str:
    """SHA-256 (hex) over the secrets of all `steps`, not to be told to anybody; empty when there are none."""
    found = {step.label: dict(step.secrets) for step in steps if step.secrets}
    return digest(secrets=found) if found else ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a step made, in the store."""

    directory: Path
    digests: Mapping[str, str]
    """SHA-256 (hex) by path below `directory`."""

    def path(self, name: str) -> Path:
        """The file `name`."""
        return self.directory / name


def metadata(result: Result) -> dict[str, Any]:
    """What the step tells of its result in `FACTS`; nothing when it does not."""
    path = result.path(FACTS)
    return dict(json.loads(path.read_bytes())) if path.is_file() else {}


def of_table(name: str, values: BaseModel, fields: Iterable[str] | None = None) -> dict[str, str]:
    """The fields (by default all) of a recipe's table as inputs, named as in the recipe."""
    dumped = values.model_dump(mode="json")
    return {f"{name}.{field}": digest(value=dumped[field]) for field in (dumped if fields is None else fields)}


def of_files(table: str, named: Mapping[str, bytes]) -> dict[str, str]:
    """Those of the files `named` by keys of the recipe that keys of `table` name, as inputs."""
    return {f"file of {key}": digest(data=data) for key, data in named.items() if key.startswith(f"{table}.")}


def of_packages(kind: str, locked: Iterable[LockedPackage]) -> dict[str, str]:
    """Packages as inputs, versions before their digests; `kind` says what they are ("package", "tool")."""
    return {f"{kind} {package.name}": f"{package.version} {package.sha256}" for package in locked}


def of_values(**values: Any) -> dict[str, str]:
    """Other values as inputs."""
    return {name: digest(value=one) for name, one in values.items()}
