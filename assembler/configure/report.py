"""What the configuration of packages came to, as plain values for messages, ``--json`` and the manifest."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

Handling = Literal["nothing", "snippets", "calls", "rule", "first boot"]
"""How a script was taken care of: nothing in it applies to a fresh install; generated snippets; commands understood in
full; a rule; or left to dpkg on the image's first boot."""


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """One maintainer script."""

    package: str
    script: str
    """``preinst`` or ``postinst``."""
    handling: Handling
    tools: tuple[str, ...]
    """The tools whose snippets are in it."""
    rule: str = ""
    """The file that its rule is in."""
    reason: str = ""
    """What the rule says."""


@dataclass(frozen=True, slots=True)
class Report:
    """All scripts, in the order in which they were carried out, and the order of configuration."""

    scripts: tuple[ScriptReport, ...]
    order: tuple[str, ...]
    """Package names as they were configured."""
    triggers: tuple[str, ...]
    """Triggers that were activated, sorted."""

    def counts(self) -> dict[str, int]:
        """How many scripts were handled in which way."""
        return dict(sorted(Counter(script.handling for script in self.scripts).items()))
