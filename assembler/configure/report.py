"""What the configuration of packages came to, as plain values for messages, ``--json`` and the manifest."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from assembler.configure.effects import Effect
from assembler.errors import AssembleError

Handling = Literal["computed", "rule", "executed", "first boot", "unhandled"]
"""How a script is taken care of: carried out on the tree by the assembler's own shell; a rule stands for it; executed
by dpkg in a machine; left to dpkg on the image's first boot; or none of these, which stops a build."""


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """One maintainer script, or what ``postinst triggered`` does for some triggers."""

    package: str
    script: str
    """``preinst``, ``postinst``, ``triggered``, or ``besides`` for a rule that stands for none of them."""
    handling: Handling
    rule: str = ""
    """The file that its rule is in."""
    reason: str = ""
    """What the rule says, or why it is left to dpkg."""
    triggers: tuple[str, ...] = ()
    """What it is triggered by."""
    stanza: str = ""
    """When it is unhandled, the rule to fill in."""
    effects: tuple[Effect, ...] = ()
    """What it does, where that was asked for."""


@dataclass(frozen=True, slots=True)
class Report:
    """All scripts, in the order in which they were carried out, and the order of configuration."""

    scripts: tuple[ScriptReport, ...]
    order: tuple[str, ...]
    """Package names as they were configured."""
    triggers: tuple[str, ...]
    """Triggers that were activated, sorted."""
    keys: tuple[AssembleError, ...] = ()
    """Private keys that executed scripts made, where they were not refused."""
    alike: tuple[AssembleError, ...] = ()
    """Other secrets that they made, which are the same on every node: warnings."""

    def counts(self) -> dict[str, int]:
        """How many scripts were handled in which way."""
        return dict(sorted(Counter(script.handling for script in self.scripts).items()))
