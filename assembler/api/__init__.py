"""What other programs call, and the command line, too: one function for each thing that ``assemble`` does.

Options and results are values. Nothing here prints, exits or reads the environment: progress goes to a `Reporter`, what
fails raises an `AssembleError`, and what a `Workspace` says is all that a function knows of its surroundings.

    from pathlib import Path
    from assembler.api import RecipeFile, Workspace, build

    workspace = Workspace(store=Path("/var/cache/assembler"))
    result = build(RecipeFile(path=Path("node.toml")), Path("out"), workspace)
    names = [file.name for file in result.artifacts]

Everything that is not in `__all__` is private, and may change with every version.
"""

from assembler.api.build import BuildOptions, BuildResult, build, explain
from assembler.api.check import AgainstDpkg, CheckResult, check, check_against_dpkg
from assembler.api.compare import CompareOptions, CompareResult, compare
from assembler.api.document import DocumentKind, document
from assembler.api.lock import CheckedLock, LockOptions, LockResult, MigratedLock, check_lock, lock, migrate_lock
from assembler.api.random import Random, RandomResult, check_random
from assembler.api.rebuild import RebuildResult, rebuild
from assembler.api.reproduce import ReproduceResult, reproduce
from assembler.api.run import MachineOptions, RunResult, run
from assembler.api.shell import ShellOptions, shell
from assembler.api.show import ShowResult, show
from assembler.api.store import (
    ExportResult,
    PruneOptions,
    PrunePlan,
    StoreStatus,
    StoreVerification,
    export_bundle,
    import_bundle,
    plan_prune,
    prune_store,
    store_status,
    verify_store,
)
from assembler.api.verify import Verdict, Verification, verify
from assembler.api.workspace import RecipeFile, Workspace
from assembler.errors import AssembleError, Place, Problems
from assembler.image.manifest import Artifact, Manifest
from assembler.layers.explain import Explanation
from assembler.lock.bundle import Imported
from assembler.progress import Reporter, Step
from assembler.store.inventory import Usage
from assembler.store.pruning import Pruned
from assembler.store.routes import Login, Routes
from assembler.tools.source import ToolSource
from assembler.tools.source import of_user as tool_source

__all__ = [
    "AgainstDpkg",
    "Artifact",
    "AssembleError",
    "BuildOptions",
    "BuildResult",
    "CheckResult",
    "CheckedLock",
    "CompareOptions",
    "CompareResult",
    "DocumentKind",
    "Explanation",
    "ExportResult",
    "Imported",
    "LockOptions",
    "LockResult",
    "Login",
    "MachineOptions",
    "Manifest",
    "MigratedLock",
    "Place",
    "Problems",
    "PruneOptions",
    "PrunePlan",
    "Pruned",
    "Random",
    "RandomResult",
    "RebuildResult",
    "RecipeFile",
    "Reporter",
    "ReproduceResult",
    "Routes",
    "RunResult",
    "ShellOptions",
    "ShowResult",
    "Step",
    "StoreStatus",
    "StoreVerification",
    "ToolSource",
    "Usage",
    "Verdict",
    "Verification",
    "Workspace",
    "build",
    "check",
    "check_against_dpkg",
    "check_lock",
    "check_random",
    "compare",
    "document",
    "explain",
    "export_bundle",
    "import_bundle",
    "lock",
    "migrate_lock",
    "plan_prune",
    "prune_store",
    "rebuild",
    "reproduce",
    "run",
    "shell",
    "show",
    "store_status",
    "tool_source",
    "verify",
    "verify_store",
]
