"""Modules from outside the kernel: compiled against the image's own kernel, signed, and laid where depmod finds them.

For the archives' own kernel they come into the root file system, beside its modules; for one that is compiled they come
with the initrd, as all of that does.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from assembler.architecture import named
from assembler.errors import Place
from assembler.image.keys import digest
from assembler.image.names import FACTS, KERNEL_CONFIG
from assembler.kernel import locked_tools
from assembler.kernel.config import read_config
from assembler.kernel.depmod import indexed
from assembler.kernel.external import Against, ModulesError, Wish, build
from assembler.kernel.headers import of_packages as headers_of
from assembler.kernel.signing import HASH, Signer
from assembler.kernel.source import from_file
from assembler.kernel.toolchain import Toolchain
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Counts, Epoch, Ignored, counted, packages, step_of, value
from assembler.layers.keeping import keeping
from assembler.layers.kernel import KernelLayer
from assembler.layers.laid import ModulesLayer
from assembler.layers.step import metadata, of_values
from assembler.lockfile.model import LockedFile, LockedPackage
from assembler.store.scratch import scratch
from assembler.tree.content import whole
from assembler.tree.staging import Tree

_KIND = "modules-1"
"""Modules in the store, found again by what went into them, as a compiled kernel is: this changes whenever
kernel/external.py makes others of the same."""
_PLACE = "updates/dkms"
"""Where dkms has them on Debian, below ``/usr/lib/modules/RELEASE``."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What one entry of the recipe's stands for."""

    name: str
    locked: LockedPackage | LockedFile


def _of_sources(sources: tuple[_Source, ...]) -> dict[str, str]:
    return {f"kernel.modules[{number}]": f"{each.name} {each.locked.sha256}" for number, each in enumerate(sources)}


def _of_kernel(kernel: KernelLayer) -> Mapping[str, str]:
    return {f"kernel: {name}": one for name, one in kernel.step.inputs.items()}


def _of_key(key: str) -> dict[str, str]:
    return of_values(**{"kernel.modules_key": key}) if key else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """What modules are compiled from. Its inputs, with one source at a time, are also what those are found by."""

    kernel: Annotated[KernelLayer, Counts(_of_kernel)]
    sources: Annotated[tuple[_Source, ...], Counts(_of_sources)]
    headers: Annotated[tuple[LockedPackage, ...], packages("headers")]
    compiler: Annotated[tuple[LockedPackage, ...], packages("compiler")]
    """Both are empty for a kernel that is compiled: it has its own."""
    architecture: Annotated[str, value("architecture")]
    host: Annotated[str, Ignored("the compiler's packages are of it")]
    epoch: Epoch
    key: Annotated[str, Counts(secret=_of_key)]

    def make(self, means: Means, directory: Path) -> None:
        """Compile what the store does not have, and sign it."""
        signer = Signer.of(self.key) if self.key else None
        image = self.kernel.step.result(means.store)
        release = metadata(image)["release"]
        algorithm = _hash(image.path(KERNEL_CONFIG)) if signer else ""
        found: dict[str, str] = {}
        for source in self.sources:
            alone = replace(self, sources=(source,))
            made = means.store.derived(
                _KIND, digest(inputs=counted(alone)[0]), partial(self._compile, means, release, source)
            )
            for file in sorted(made.iterdir()):
                if file.name in found:
                    raise ModulesError(
                        f"two sources make {file.name}",
                        where=Place(key="kernel.modules"),
                        why=f"{found[file.name]} and {source.name}",
                    )
                found[file.name] = source.name
                data = file.read_bytes()
                (directory / file.name).write_bytes(signer.sign(data, algorithm) if signer else data)
        facts = {"release": release, "modules": found, "signed": signer is not None}
        (directory / FACTS).write_text(json.dumps(facts, sort_keys=True), "ascii")

    def _compile(self, means: Means, release: str, source: _Source, directory: Path) -> None:
        tree = self._source(means, source)
        with self._opened(means, release) as (against, toolchain):
            wish = Wish(
                name=source.name,
                source=tree,
                against=against,
                architecture=named(self.architecture),
                native=self.architecture == self.host,
                epoch=self.epoch,
                toolchain=toolchain,
            )
            build(wish, directory, means.store, jobs=means.jobs, reporter=means.reporter)

    @staticmethod
    def _source(means: Means, source: _Source) -> Path:
        """A directory with what is to be compiled."""
        locked = source.locked
        if isinstance(locked, LockedFile):
            means.fetch_files([locked])
            return from_file(means.store, locked.sha256, source.name, means.reporter, needed=())
        # The lock's word is not enough for what runs here.
        means.prove([locked])
        found = sorted(means.directory_of([locked]).glob("usr/src/*/dkms.conf"))
        if len(found) != 1:
            raise ModulesError(
                f"{source.name} is no DKMS package",
                where=Place(package=source.name, key="kernel.modules"),
                why=f"it has {len(found) or 'no'} usr/src/*/dkms.conf",
                hint="name a package that is called NAME-dkms",
            )
        return found[0].parent

    @contextmanager
    def _opened(self, means: Means, release: str) -> Iterator[tuple[Against, Toolchain]]:
        """What is compiled against, and with, while the context lasts."""
        if self.kernel.against:
            with self.kernel.against() as both:
                yield both
            return
        toolbox = means.programs((*self.compiler, *self.headers), self.host)
        with (
            scratch(means.store.executable) as own,
            locked_tools.opened(toolbox, means.store, named(self.architecture), release) as toolchain,
        ):
            yield headers_of(toolbox.root, release, own), toolchain


def _hash(config: Path) -> str:
    """What a kernel with that configuration wants its modules signed with."""
    values = read_config(config.read_text("utf-8", "replace"))
    return values.get("MODULE_SIG_HASH", "").strip('"') or HASH


def layer(context: BuildContext, kernel: KernelLayer) -> ModulesLayer | None:
    """The modules that the recipe names, for its `kernel`; None when there are none.

    What is made raises ModulesError, SigningError and what else compiling raises.
    """
    recipe, lock, means = context.recipe.kernel, context.lock, context.means
    if not recipe.modules:
        return None
    if "modules_key" in recipe.model_fields_set and not recipe.modules_key:
        context.reporter.warn("modules of the kernel are not signed, as no key is given for kernel.modules_key")
    by_name = {package.name: package for package in lock.role("modules")}
    by_digest = {file.sha256: file for file in lock.files_for("modules")}
    declared = _Compiled(
        kernel=kernel,
        sources=tuple(
            _Source(each.name, by_name[each.package.partition(":")[0]] if each.package else by_digest[each.sha256])
            for each in recipe.modules
        ),
        headers=lock.role("headers"),
        compiler=lock.role("compiler"),
        architecture=lock.architecture,
        host=lock.build_architecture,
        epoch=context.epoch,
        key=recipe.modules_key,
    )
    step = step_of(declared, means, layer="kernel", name="modules")

    def lay(tree: Tree) -> None:
        made = step.result(means.store)
        facts = metadata(made)
        top = f"/usr/lib/modules/{facts['release']}"
        tree.mkdir(f"{top}/{_PLACE}", parents=True)
        for name in sorted(facts["modules"]):
            tree.write(f"{top}/{_PLACE}/{name}", whole(made.path(name)))
        indexed(tree, facts["release"], keeping(means.store))

    return ModulesLayer(step, kernel.apart, lay)
