from tests.toolboxes import toolbox

__all__ = ["toolbox"]
