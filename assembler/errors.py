"""Structured errors: what failed, where, why, and what to do about it.

Every error that a user can cause or meet is an :class:`AssembleError`. Library code raises them; only the
command line renders them. A traceback therefore always means a defect of the assembler itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is wrong. Empty fields are unknown or do not apply."""

    file: str = ""
    """A file on the host: recipe, lock, package, log."""
    line: int = 0
    """1-based line in `file`; 0 when unknown."""
    column: int = 0
    """1-based column in `line`; 0 when unknown."""
    key: str = ""
    """Dotted key in a recipe or lock, as ``rootfs.packages[3]``."""
    package: str = ""
    """Debian package, as ``openssh-server`` or ``openssh-server postinst``."""
    path: str = ""
    """Absolute path inside the image or archive."""

    def __str__(self) -> str:
        position = self.file
        if self.line:
            position += f":{self.line}"
            if self.column:
                position += f":{self.column}"
        return " ".join(part for part in (position, self.key, self.package, self.path) if part)


class AssembleError(Exception):
    """A failure that its reader can act upon.

    `what` is one sentence fragment without a full stop ("the signature of InRelease is not good"), `why` the cause
    underneath it, `hint` the thing to do. `details` are further lines, shown as they are (the end of a log, say).
    """

    def __init__(
        self,
        what: str,
        *,
        where: Place | None = None,
        why: str = "",
        hint: str = "",
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where or Place()
        self.why = why
        self.hint = hint
        self.details = tuple(details)
        self.against = Place()
        """Where the other side stands, of what contradicts something."""

    def __str__(self) -> str:
        place = str(self.where)
        text = f"{place}: {self.what}" if place else self.what
        if self.why:
            text += f": {self.why}"
        if self.hint:
            text += f" ({self.hint})"
        return text


class Problems(AssembleError):
    """Several errors found in one pass, reported together; `errors` is never empty."""

    def __init__(self, errors: Sequence[AssembleError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)
