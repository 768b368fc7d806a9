"""What a recipe may say already, and nothing does yet: it is refused rather than passed over."""

from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.model import Rootfs


class NotExecutedError(AssembleError):
    """A recipe wants something executed."""


def require_none(recipe: Rootfs) -> None:
    """Raise Problems with all that `recipe` wants executed."""
    found = {
        'rootfs.scripts = "executed"': recipe.scripts == "executed",
        "rootfs.debconf": bool(recipe.debconf.answers or recipe.debconf.preseed),
        "rootfs.run": bool(recipe.run),
    }
    if any(found.values()):
        raise Problems(
            [
                NotExecutedError("this is not executed yet", where=Place(key=key), hint="leave it out")
                for key, given in found.items()
                if given
            ]
        )
