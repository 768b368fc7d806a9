"""Building a recipe twice, in other environments: does it give the same bytes everywhere?"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assembler.api.build import open_project, require_empty, secrets
from assembler.api.workspace import RecipeFile, Workspace
from assembler.audit import environments
from assembler.audit.compare import Comparison, compare
from assembler.audit.environments import Environment
from assembler.audit.recorded import Mismatch, mismatches, same_inputs
from assembler.audit.statements import audited
from assembler.errors import AssembleError
from assembler.image.manifest import Layers, read_layers
from assembler.image.names import REPRODUCED
from assembler.image.provenance import text
from assembler.layers.context import BuildContext
from assembler.lockfile.model import COMPILING, Lock
from assembler.recipe.builtin import PREFIX
from assembler.tools.trust import hand_on

_SHOWN = 20
"""Lines of a build that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceResult:
    """Two builds of a recipe from its lock."""

    built: Layers
    """What the first one made."""
    lock: Lock
    found: Comparison
    """How they differ."""
    recorded: tuple[Mismatch, ...] | None
    """How the first differs from what the lock has recorded; None when it has recorded nothing of the same context."""
    not_varied: Mapping[str, str]
    """What was the same for both builds, with the reason."""
    statement: Mapping[str, Any] = field(repr=False)
    """The in-toto statement of it, which is in the output directory, too."""

    @property
    def same(self) -> bool:
        """Whether both builds, and what the lock has recorded, are the same."""
        return not self.found and not self.recorded


def reproduce(recipe: RecipeFile, out: Path, workspace: Workspace) -> ReproduceResult:
    """Build a `recipe` twice into the empty or missing directory `out`, and compare.

    Both builds are processes of their own. Raises AssembleError when one of them fails.
    """
    require_empty(out)
    loaded = recipe.load()
    with (
        open_project(workspace, loaded, make=not workspace.offline) as context,
        tempfile.TemporaryDirectory() as name,
    ):
        _download(context)
        work = Path(name)
        # So that a build by another user gets in; each has a directory of its own.
        work.chmod(0o755)
        first, second, not_varied = _choose(workspace, context, work)
        out.mkdir(parents=True, exist_ok=True)
        sides = []
        for label, one in (("first", first), ("second", second)):
            with workspace.reporter.step(f"{label} build"):
                made = _build(context, one, _options(recipe), recipe.args, label)
            shutil.move(made, out / label)
            sides.append(out / label)
            shutil.rmtree(one.store)
    found = compare(*sides, reporter=workspace.reporter)
    built = read_layers(sides[0], name=loaded.recipe.name, architecture=context.lock.architecture)
    recorded = context.lock.build
    other = mismatches(recorded, built) if recorded and same_inputs(recorded, built, secrets(context)) else None
    document = audited(
        built,
        context.lock,
        found,
        varied=environments.differences(first, second),
        not_varied=not_varied,
        recorded=other,
    )
    (out / REPRODUCED).write_bytes(text(document))
    if not found:
        shutil.rmtree(sides[1])
    return ReproduceResult(
        built=built, lock=context.lock, found=found, recorded=other, not_varied=not_varied, statement=document
    )


def _download(context: BuildContext) -> None:
    """Get everything that the recipe is built from."""
    means, lock = context.means, context.lock
    means.toolbox(lock.tools)
    if lock.toolchain:
        means.toolbox(lock.toolchain)
    means.fetch(lock.packages)
    run = [package for role in ("kernel-source", "modules", *COMPILING) for package in lock.role(role)]
    if run:
        means.prove(run)
    means.fetch_files(lock.files)
    means.fetch_images(lock.images)


def _choose(workspace: Workspace, context: BuildContext, work: Path) -> tuple[Environment, Environment, dict[str, str]]:
    """Both builds' environments below `work`, and what does not differ between them with the reason."""
    not_varied = {}
    recipes = context.loaded.path.absolute().parent
    elsewhere = work / "by-another-name"
    elsewhere.symlink_to(recipes)
    kernel = context.recipe.kernel
    compiled = kernel.source == "vanilla" and kernel.toolchain == "host"
    if compiled:
        not_varied["programs of the host"] = "as its kernel is compiled with them"
    user: int | None = None
    if os.geteuid() != 0:
        not_varied["user"] = "which only root can change"
    elif _may_build(environments.NOBODY, context):
        user = environments.NOBODY
    else:
        not_varied["user"] = f"as user {environments.NOBODY} may not read the assembler or the recipe"
    search = workspace.search
    return (
        environments.plain(work / "a", recipes, python=sys.executable, search=search, processors=workspace.jobs),
        environments.varied(
            work / "another-directory" / "b",
            elsewhere,
            python=sys.executable,
            search=search if compiled else "",
            user=user,
        ),
        not_varied,
    )


def _may_build(user: int, context: BuildContext) -> bool:
    """Whether a user can read the assembler and all files of the recipe."""
    sources = [
        *context.loaded.sources,
        *(file.path for file in context.loaded.files.values()),
        context.loaded.lock_path,
    ]
    code = "import sys, assembler.cli.build; [open(name, 'rb').close() for name in sys.argv[1:]]"
    command = [sys.executable, "-P", "-c", code, *(str(path.absolute()) for path in sources)]
    try:
        done = subprocess.run(
            command, user=user, group=user, extra_groups=[], env=_python_path({}), capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def _python_path(environment: dict[str, str]) -> dict[str, str]:
    """`environment`, with the very assembler that runs here."""
    return environment | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}


def _reach(recipe: RecipeFile) -> list[str]:
    """The options that let the recipe read the same in another build, whichever its directory."""
    words = ["--project", os.path.realpath(recipe.project)] if recipe.project else []
    return words + [word for path in recipe.allow_read for word in ("--allow-read", os.path.realpath(path))]


def _options(recipe: RecipeFile) -> list[str]:
    """The options with which another build takes the recipe as this one does."""
    profiles = [word for name in recipe.profiles for word in ("--profile", name)]
    return _reach(recipe) + profiles + (["--scripts", recipe.scripts] if recipe.scripts else [])


def _build(
    context: BuildContext, here: Environment, options: Sequence[str], args: Mapping[str, str], label: str
) -> Path:
    """Build in this environment; returns the directory with what was made. Raises AssembleError when that fails."""
    for directory in (here.store, here.directory / "home", here.directory / "tmp"):
        directory.mkdir(parents=True)
    for directory in (here.directory.parent, here.directory):
        directory.chmod(0o755)  # whatever the umask: a store in what others may write to is refused
    context.means.store.share(here.store)
    hand_on(context.means.store, here.store / "derived")
    if here.user is not None:
        _give(here.directory, here.user)
    made = here.directory / "out"
    name = context.loaded.path.name
    # One that comes along has its lock in the working directory.
    comes_along = str(context.loaded.path).startswith(PREFIX)
    command: list[str] = [
        *here.program,
        "build",
        name if comes_along else str(here.recipes / name),
        *options,
        *_private(here, args),
        *("--out", str(made), "--store", str(here.store), "--offline", "--jobs", str(here.processors)),
        *(() if context.means.store.trusted else ("--trust-store",)),
    ]
    log = here.directory.parent / f"{here.directory.name}.log"
    with log.open("wb") as stream:
        done = subprocess.run(
            command,
            cwd=here.recipes if comes_along else here.directory,
            env=_python_path(dict(here.environment)),
            umask=here.umask,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
            user=here.user,
            group=here.user,
            extra_groups=None if here.user is None else [],
        )
    if done.returncode:
        raise AssembleError(
            f"the {label} build failed",
            why=f"its exit status is {done.returncode}",
            hint=f"see whether assemble {context.loaded.path} --offline works",
            details=log.read_text(errors="replace").splitlines()[-_SHOWN:],
        )
    return made


def _private(here: Environment, args: Mapping[str, str]) -> list[str]:
    """Options that give `args` without showing them to other users of the machine."""
    directory = here.directory / "args"
    directory.mkdir(mode=0o700)
    options = []
    for number, (name, value) in enumerate(args.items()):
        path = directory / str(number)
        path.touch(0o600)
        # One end of a line is taken off again.
        path.write_text(f"{value}\r\n", "utf-8", newline="")
        if here.user is not None:
            os.chown(directory, here.user, here.user)
            os.chown(path, here.user, here.user)
        options += ["--arg-file", f"{name}={path}"]
    return options


def _give(directory: Path, user: int) -> None:
    """Let `user` own `directory` and the directories in it; its files are objects, which nobody writes to."""
    for path in (directory, *(path for path in directory.rglob("*") if path.is_dir())):
        os.chown(path, user, user)
