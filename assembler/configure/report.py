"""What the configuration of packages came to, as plain values for messages, ``--json`` and the manifest."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from assembler.errors import AssembleError

Handling = Literal["nothing", "snippets", "calls", "rule", "executed", "first boot", "unhandled"]
"""How a script is taken care of: nothing in it applies to a fresh installation; generated snippets; commands understood
in full; a rule; executed by dpkg in a machine; left to dpkg on the image's first boot; or nobody has vouched for it,
which stops a build."""


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """One maintainer script, or what ``postinst triggered`` does for some triggers."""

    package: str
    script: str
    """``preinst``, ``postinst``, ``triggered``, or ``besides`` for a rule that stands for none of them."""
    handling: Handling
    tools: tuple[str, ...] = ()
    """The tools whose snippets are in it."""
    rule: str = ""
    """The file that its rule is in."""
    reason: str = ""
    """What the rule says."""
    triggers: tuple[str, ...] = ()
    """What it is triggered by."""
    residual: str = ""
    """When it is unhandled: the text that a person must judge,"""
    stanza: str = ""
    """and the rule to fill in."""


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
