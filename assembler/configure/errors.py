"""What is wrong with a setting of a recipe's."""

from assembler.errors import AssembleError


class SettingError(AssembleError):
    """A setting that the image cannot have."""
