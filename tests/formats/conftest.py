from tests.formats.ext4s import hand, sound
from tests.support.toolboxes import toolbox

__all__ = ["hand", "sound", "toolbox"]
