"""The kind of table that a recipe has."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A table of a recipe: unknown keys are errors, values are never coerced, and it cannot change."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )
