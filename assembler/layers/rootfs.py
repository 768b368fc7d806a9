"""The root file system layer: packages unpacked, configured, and what the recipe adds."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from assembler.configure import settings
from assembler.configure.engine import Settings, configure
from assembler.configure.order import Orderable, unpack_order
from assembler.configure.report import Report
from assembler.debian.deb import Deb, open_package
from assembler.debian.package import Unpacked
from assembler.debian.paths import path_filter
from assembler.debian.unpack import unpack
from assembler.layers.module_indexes import cached_depmod
from assembler.lock.model import LockedPackage
from assembler.progress import SILENT, Reporter
from assembler.recipe.model import Rootfs as RootfsRecipe
from assembler.store.objects import Store
from assembler.tree.staging import Tree


@dataclass(frozen=True, slots=True)
class Rootfs:
    """A composed root file system."""

    tree: Tree
    packages: tuple[Unpacked, ...]
    report: Report
    """How every maintainer script was handled."""


def open_packages(
    store: Store, packages: Sequence[LockedPackage], *, jobs: int = 2, reporter: Reporter = SILENT
) -> list[Deb]:
    """The packages, unpacked in the store if they were not, in the order given; `jobs` are decompressed at a time."""
    with reporter.step("unpack", total=len(packages), unit="items") as step:

        def one(package: LockedPackage) -> Deb:
            deb = open_package(store, package.sha256, package.name)
            step.advance()
            return deb

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, packages))


def compose(
    recipe: RootfsRecipe,
    packages: Sequence[LockedPackage],
    *,
    files: Mapping[str, bytes],
    architecture: str,
    epoch: int,
    store: Store,
    jobs: int = 2,
    reporter: Reporter = SILENT,
) -> Rootfs:
    """The tree that the locked `packages` and the recipe make.

    `files` holds the bytes of the files that the recipe names; `epoch` (SOURCE_DATE_EPOCH, seconds) is the time of all
    that is made here and the latest that anything has. Raises DebError, UnpackError, and Problems for scripts that
    nobody has vouched for.
    """
    debs = {deb.name: deb for deb in open_packages(store, packages, jobs=jobs, reporter=reporter)}
    order = unpack_order([Orderable(deb.name, deb.fields, "postinst" in deb.control) for deb in debs.values()])
    ordered = [debs[name] for name in order]
    tree = Tree(mtime=epoch)
    with reporter.step("compose"):
        unpacked = unpack(
            tree,
            ordered,
            latest=epoch,
            paths=path_filter(recipe.exclude, recipe.include),
        )
    configuration = Settings(epoch, architecture, depmod=cached_depmod(store))
    report = configure(tree, unpacked, configuration, reporter)
    settings.apply(tree, recipe, files, epoch)
    return Rootfs(tree, tuple(unpacked), report)
