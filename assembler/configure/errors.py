"""What is wrong with a setting of a recipe's."""

from assembler.errors import AssembleError, Place


class SettingError(AssembleError):
    """A setting that the image cannot have."""

    @classmethod
    def of(cls, key: str, error: AssembleError) -> "SettingError":
        """`error`, said of a `key` of the recipe."""
        where = Place(key=key, path=error.where.path)
        return cls(error.what, where=where, why=error.why, hint=error.hint)
