from tests.support.toolboxes import toolbox

__all__ = ["toolbox"]
