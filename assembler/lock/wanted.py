"""Which packages are asked for, and what for. What they depend on comes with them, unless a role says otherwise."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from assembler.architecture import named
from assembler.boot.loaders import LIVE
from assembler.debian.preferences import Pin
from assembler.debian.requests import Request
from assembler.debian.sources import Archive, Source, archives, parse_sources, root, signers
from assembler.errors import Place
from assembler.kubernetes.parts import packages
from assembler.lock.compilers import for_modules
from assembler.lockfile.errors import LockError
from assembler.lockfile.wanted import WantedFile
from assembler.recipe.debs import root_of
from assembler.recipe.model import DebianArchive, Recipe

INITRD = ("busybox-static", "e2fsprogs", "util-linux")
"""Of these, and of what they link to, a few files go into the initrd: see initrd/compose.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for in one role."""

    role: str
    """Of lockfile/model.py's `ROLES`, or its `TOOLS`."""
    packages: tuple[str, ...]
    """Names."""
    architecture: str
    requests: tuple[Request, ...] = ()
    """Those of them for which the recipe says a version or a release."""
    essential: bool = False
    """Whether all essential packages belong to it."""
    recommends: bool = False
    """Whether recommended packages belong to it."""
    dependencies: bool = True
    """Whether what the packages depend on belongs to it."""
    given: bool = False
    """Whether packages that the recipe brings as files, to be installed, belong to it."""
    kept: str = ""
    """What the names of those begin with that are taken in the end; all when this is empty."""
    further: Callable[[Mapping[str, Sequence[str]]], tuple[str, ...]] = field(default=lambda _: (), repr=False)
    """More packages, as those say that were chosen for earlier roles, by role and before any was left out. Raises
    LockError."""


def wanted(recipe: Recipe, host: str) -> tuple[Wanted, ...]:
    """What `recipe` needs, role by role, when a machine of the architecture `host` builds it."""
    target, kernel = recipe.arch, recipe.kernel
    compiled = kernel.source == "vanilla"
    own = Request.of(kernel.package)
    source = Wanted(
        role="kernel-source",
        packages=(own.name,),
        architecture=target,
        requests=(own,) if not own.plain else (),
        dependencies=False,
    )
    requests = [*map(Request.of, recipe.rootfs.packages), *(() if compiled else (own,))]
    chosen = dict.fromkeys(request.name for request in requests)
    if recipe.kubernetes is not None:
        # The Kubernetes layer decides where these come from, whatever the recipes below it had in their lists.
        taken, dropped = packages(recipe.kubernetes)
        chosen = dict.fromkeys(name for name in (*chosen, *sorted(taken)) if name not in dropped)
    rootfs = Wanted(
        role="rootfs",
        packages=tuple(chosen),
        architecture=target,
        requests=tuple(request for request in requests if not request.plain and request.name in chosen),
        essential=True,
        given=True,
        recommends=recipe.rootfs.recommends,
    )
    return (
        rootfs,
        *((source,) if compiled and not kernel.url else ()),
        Wanted(role="initrd", packages=INITRD, architecture=target),
        # Files are taken out of them and nothing in them is run, so what they depend on stays away.
        Wanted(role="boot", packages=LIVE.packages(named(target)), architecture=target, dependencies=False),
        *_for_modules(recipe, host),
    )


_HEADERS = "linux-headers-"


def _for_modules(recipe: Recipe, host: str) -> tuple[Wanted, ...]:
    """What modules from outside the kernel are made of, and, for the archives' own kernel, what they are compiled with:
    its headers, and the compiler that made it.
    """
    target, kernel = recipe.arch, recipe.kernel
    if not kernel.modules:
        return ()
    names = tuple(module.package.removesuffix(f":{target}") for module in kernel.modules if module.package)
    sources = Wanted(role="modules", packages=names, architecture=target, dependencies=False)
    if kernel.source == "vanilla":
        return (sources,) if names else ()
    image = Request.of(kernel.package).name.partition(":")[0]
    headers = f"{_HEADERS}{image.removeprefix('linux-image-').removesuffix('-unsigned')}"

    def further(chosen: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        there = chosen["headers"]
        compilers = [name for name in there if re.fullmatch(r"gcc-[0-9]+", name)]
        if len(compilers) != 1:
            raise LockError(
                f"{headers} does not say which compiler made the kernel",
                why=f"it needs {', '.join(compilers)}" if compilers else "it needs none",
                hint="leave out kernel.modules, or take a kernel of Debian",
            )
        programs = tuple(name for name in there if name.startswith("linux-kbuild-"))
        return (*for_modules(named(target), named(host), compilers[0]), *programs)

    return (
        *((sources,) if names else ()),
        Wanted(role="headers", packages=(headers,), architecture=target, kept=_HEADERS),
        Wanted(role="compiler", packages=(), architecture=host, further=further),
    )


def archives_of(recipe: Recipe) -> tuple[Archive, ...]:
    """The archives that `recipe` takes packages from. Raises Problems or SourcesError when something is wrong."""
    debian = recipe.debian
    text = parse_sources(debian.sources) if debian.sources.strip() or not debian.archives else ()
    tables = (_source(table, index) for index, table in enumerate(debian.archives) if table.suites)
    return archives((*text, *tables))


def _source(table: DebianArchive, index: int) -> Source:
    signed_by, key = signers(table.signed_by)
    return Source(
        uris=(root_of(table.path),) if table.path else tuple(map(root, table.uris)),
        suites=tuple(table.suites),
        components=tuple(table.components),
        architectures=tuple(table.architectures),
        signed_by=signed_by,
        key=key,
        check_valid_until=table.check_valid_until,
        where=Place(key=f"debian.archives[{index}]"),
    )


def pins_of(recipe: Recipe) -> tuple[Pin, ...]:
    """The pins of `recipe`, in its order."""
    return tuple(Pin(tuple(pin.packages), pin.pin, pin.priority) for pin in recipe.debian.pins)


def rootfs_files(recipe: Recipe) -> list[WantedFile]:
    """The files of the image that `recipe` names by their address; one that is there twice is wanted once."""
    found = {
        name_of(file.sha256): WantedFile(
            name=name_of(file.sha256),
            url=file.url,
            sha256=file.sha256,
            role="rootfs",
            key=f"rootfs.files[{index}].sha256",
        )
        for index, file in reversed(list(enumerate(recipe.rootfs.files)))
        if file.url
    }
    return list(found.values())


def name_of(sha256: str) -> str:
    """What a lock calls a file of the image with this digest."""
    return f"file-{sha256[:16]}"


def kernel_files(recipe: Recipe) -> list[WantedFile]:
    """The tarballs that `recipe` names: of the kernel that it has compiled, and of modules."""
    kernel = recipe.kernel
    modules = [
        WantedFile(
            name=f"modules-{index}",
            url=module.url,
            sha256=module.sha256,
            role="modules",
            key=f"kernel.modules[{index}].sha256",
        )
        for index, module in enumerate(kernel.modules)
        if module.url
    ]
    if not kernel.url:
        return modules
    return [
        WantedFile(
            name="linux",
            version=kernel.version,
            url=kernel.url,
            sha256=kernel.sha256,
            role="kernel",
            key="kernel.sha256",
        ),
        *modules,
    ]
