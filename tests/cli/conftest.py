"""What tests of the command line have in common."""

from tests.toolboxes import toolbox

__all__ = ["toolbox"]
