from tests.support.toolboxes import loaders, toolbox

__all__ = ["loaders", "toolbox"]
