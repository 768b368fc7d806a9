"""What comes into a tree beside its packages: modules from outside the kernel, as layers/modules.py makes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from assembler.layers.declared import Counts
from assembler.layers.step import Step
from assembler.tree.staging import Tree


@dataclass(frozen=True, slots=True)
class ModulesLayer:
    """Modules for a kernel."""

    step: Step
    apart: bool
    """Whether the root file system lacks the kernel's modules, so that the initrd has to bring these, too."""
    lay: Callable[[Tree], None]
    """Puts them into a tree with the modules of their kernel, and makes depmod's indexes anew."""


def of_modules(given: ModulesLayer | None) -> Mapping[str, str]:
    """Modules as an input."""
    return {given.step.label: given.step.key} if given else {}


Laid = Annotated[ModulesLayer | None, Counts(of_modules)]
"""What is laid into a tree; None when there is nothing."""
