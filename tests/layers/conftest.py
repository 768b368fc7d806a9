from tests.support.compilers import machine
from tests.support.toolboxes import toolbox

__all__ = ["machine", "toolbox"]
