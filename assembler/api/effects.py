"""Which scripts do something else than before, when packages are upgraded."""

from dataclasses import dataclass

from assembler.api.workspace import Workspace
from assembler.configure.effects import Effect, other
from assembler.configure.report import ScriptReport
from assembler.debian.fetch import fetch_packages
from assembler.debian.mirrors import Mirrors
from assembler.layers import byte_code, rootfs
from assembler.layers.contents import of_addresses
from assembler.lock.files import fetch_files
from assembler.lockfile.model import Lock
from assembler.recipe.load import LoadedRecipe
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tree.content import Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedScript:
    """A script of a package that is upgraded which does something else, or is handled otherwise."""

    package: str
    script: str
    handling: tuple[str, str]
    """Before and after; empty where the package has no such script."""
    gone: tuple[Effect, ...]
    """What it did and does not do any more."""
    new: tuple[Effect, ...]


def scripts(
    loaded: LoadedRecipe,
    lock: Lock,
    workspace: Workspace,
    *,
    store: Store,
    transport: Transport,
    chosen: Mirrors,
    effects: bool = True,
) -> rootfs.Checked:
    """All scripts of a lock's root file system, with what they do. Raises AssembleError of many kinds."""
    packages = lock.role("rootfs")
    fetch_files(lock.files_for("rootfs"), store=store, transport=transport)
    large = {key: Slice(str(file.large.real), 0, file.large.size) for key, file in loaded.files.items() if file.large}
    fetch_packages(packages, lock.archives, store=store, transport=transport, mirrors=chosen)
    return rootfs.check(
        loaded.recipe.rootfs,
        packages,
        files={name: file.data for name, file in loaded.files.items() if not file.large},
        contents={**large, **of_addresses(loaded.recipe.rootfs, store)},
        architecture=lock.architecture,
        epoch=lock.source_date_epoch,
        store=store,
        jobs=workspace.jobs,
        told=loaded.told,
        reporter=workspace.reporter,
        effects=effects,
        python=byte_code.version_for(loaded.recipe.rootfs, lock),
    )


def changed_scripts(old: Lock, new: Lock, before: rootfs.Checked, after: rootfs.Checked) -> tuple[ChangedScript, ...]:
    """The scripts of packages whose version differs between two locks that do not do the same."""
    versions = [{package.name: package.version for package in lock.role("rootfs")} for lock in (old, new)]
    moved = {name for name, version in versions[1].items() if versions[0].get(name, version) != version}
    found = []
    sides = [{(one.package, one.script): one for one in side.scripts} for side in (before, after)]
    for key in sorted(sides[0].keys() | sides[1].keys()):
        if key[0] not in moved:
            continue
        one, two = (side.get(key, _NONE) for side in sides)
        gone, come = other(one.effects, two.effects)
        if gone or come or one.handling != two.handling:
            handling = (one.handling if one.package else "", two.handling if two.package else "")
            found.append(ChangedScript(package=key[0], script=key[1], handling=handling, gone=gone, new=come))
    return tuple(found)


_NONE = ScriptReport("", "", "computed")
"""Stands for a script that a package has not."""
