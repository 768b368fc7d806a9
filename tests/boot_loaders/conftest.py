from tests.toolboxes import loaders, toolbox

__all__ = ["loaders", "toolbox"]
