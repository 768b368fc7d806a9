"""The work of ``assemble audit``."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from assembler.api.build import explained, opened, require_empty, secrets
from assembler.api.compare import tell
from assembler.audit import environments
from assembler.audit.compare import Comparison, compare
from assembler.audit.environments import Surroundings
from assembler.audit.recorded import Mismatch, mismatches, same_inputs
from assembler.audit.statements import audited
from assembler.cli.session import Session
from assembler.errors import AssembleError
from assembler.image.manifest import Layers, artifacts, read_layers
from assembler.image.provenance import text
from assembler.layers.inputs import Inputs
from assembler.recipe.builtin import PREFIX
from assembler.recipe.load import load
from assembler.tools.trust import hand_on

STATEMENT = "audit.json"
_SHOWN = 20
"""Lines of a build that failed."""


def audit_recipe(current: Session, recipe: Path, args: dict[str, str], out: Path, *, offline: bool) -> bool:
    """Build the recipe twice into `out`, compare, and tell what differs; returns whether nothing does."""
    require_empty(out)
    loaded = load(recipe, args, project=current.project, allow_read=current.allow_read)
    with opened(current, loaded, offline=offline, make=not offline) as inputs, tempfile.TemporaryDirectory() as name:
        _download(inputs)
        work = Path(name)
        # So that a build by another user gets in; each has a directory of its own.
        work.chmod(0o755)
        first, second, unvaried = _choose(current, inputs, work)
        out.mkdir(parents=True, exist_ok=True)
        sides = []
        for label, one in (("first", first), ("second", second)):
            with current.reporter.step(f"{label} build"):
                made = _build(inputs, one, _reach(current), args, label)
            shutil.move(made, out / label)
            sides.append(out / label)
            shutil.rmtree(one.store)
    found = compare(*sides, reporter=current.reporter)
    built = read_layers(sides[0], name=loaded.recipe.name, architecture=inputs.lock.architecture)
    recorded = inputs.lock.build
    other = mismatches(recorded, built) if recorded and same_inputs(recorded, built, secrets(inputs)) else None
    document = audited(
        built,
        inputs.lock,
        found,
        varied=environments.differences(first, second),
        unvaried=unvaried,
        recorded=other,
    )
    (out / STATEMENT).write_bytes(text(document))
    _tell(current, inputs, built, found, other)
    if not found:
        shutil.rmtree(sides[1])
    for what, why in unvaried.items():
        current.reporter.info(f"not varied: {what}, {why}")
    current.reporter.result(document)
    return not found and not other


def _download(inputs: Inputs) -> None:
    """Get everything that the recipe is built from."""
    inputs.toolbox()
    inputs.fetch(inputs.lock.packages)
    if source := inputs.lock.role("kernel-source"):
        inputs.prove(source)
    inputs.fetch_files(inputs.lock.files)
    inputs.fetch_images(inputs.lock.images)


def _choose(current: Session, inputs: Inputs, work: Path) -> tuple[Surroundings, Surroundings, dict[str, str]]:
    """Both builds' surroundings below `work`, and what does not differ between them with the reason."""
    unvaried = {}
    recipes = inputs.loaded.path.absolute().parent
    elsewhere = work / "by-another-name"
    elsewhere.symlink_to(recipes)
    compiled = inputs.recipe.kernel.source == "vanilla"
    if compiled:
        unvaried["programs of the host"] = "as its kernel is compiled with them"
    user: int | None = None
    if os.geteuid() != 0:
        unvaried["user"] = "which only root can change"
    elif _may_build(environments.NOBODY, inputs):
        user = environments.NOBODY
    else:
        unvaried["user"] = f"as user {environments.NOBODY} may not read the assembler or the recipe"
    search = current.settings.search
    return (
        environments.plain(work / "a", recipes, python=sys.executable, search=search, processors=current.settings.jobs),
        environments.disturbed(
            work / "another-directory" / "b",
            elsewhere,
            python=sys.executable,
            search=search if compiled else "",
            user=user,
        ),
        unvaried,
    )


def _may_build(user: int, inputs: Inputs) -> bool:
    """Whether a user can read the assembler and all files of the recipe."""
    sources = [*inputs.loaded.sources, *(file.path for file in inputs.loaded.files.values()), inputs.loaded.lock_path]
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


def _reach(current: Session) -> list[str]:
    """The options that let the recipe read the same in another build, whichever its directory."""
    words = ["--project", os.path.realpath(current.project)] if current.project else []
    return words + [word for path in current.allow_read for word in ("--allow-read", os.path.realpath(path))]


def _build(inputs: Inputs, here: Surroundings, reach: Sequence[str], args: dict[str, str], label: str) -> Path:
    """Build in these surroundings; returns the directory with what was made. Raises AssembleError when that fails."""
    for directory in (here.store, here.directory / "home", here.directory / "tmp"):
        directory.mkdir(parents=True)
    for directory in (here.directory.parent, here.directory):
        directory.chmod(0o755)  # whatever the umask: a store in what others may write to is refused
    inputs.store.share(here.store)
    hand_on(inputs.store, here.store / "derived")
    if here.user is not None:
        _give(here.directory, here.user)
    made = here.directory / "out"
    name = inputs.loaded.path.name
    # One that comes along has its lock in the working directory.
    comes_along = str(inputs.loaded.path).startswith(PREFIX)
    command: list[str] = [
        *here.program,
        "build",
        name if comes_along else str(here.recipes / name),
        *reach,
        *_private(here, args),
        *("--out", str(made), "--store", str(here.store), "--offline", "--jobs", str(here.processors)),
        *(() if inputs.store.trusted else ("--trust-store",)),
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
            hint=f"see whether assemble {inputs.loaded.path} --offline works",
            details=log.read_text(errors="replace").splitlines()[-_SHOWN:],
        )
    return made


def _private(here: Surroundings, args: dict[str, str]) -> list[str]:
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


def _tell(
    current: Session,
    inputs: Inputs,
    built: Layers,
    found: Comparison,
    other: Sequence[Mismatch] | None,
) -> None:
    """Say how the builds differ, and how the first differs from the record; `other` is None without one of the same."""
    if found:
        tell(current, found)
        current.say(f"{inputs.loaded.path}: two builds from one lock differ")
    else:
        for artifact in artifacts(built):
            current.say(f"{artifact.sha256}  {artifact.name}")
        current.say(f"{inputs.loaded.path}: built twice, byte by byte the same")
    for line in explained(other or ()):
        current.say(line)
    if inputs.lock.build is None:
        current.say("the lock has no outputs recorded to compare with (assemble RECIPE.toml --record)")
    elif other is None:
        current.say("the outputs that the lock has recorded are of another recipe or other arguments, and not compared")
    elif not other:
        current.say("the lock has recorded the same outputs")
