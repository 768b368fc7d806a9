"""stty(1) and fmt(1) of GNU coreutils 9.1 to 9.7, for scripts that fit their messages to a terminal: there is none."""

import re

from assembler.programs.inputs import options_of
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused


def stty(process: Process) -> int:
    """``stty`` of the standard input, which is no terminal."""
    if any(word.startswith(("-F", "--")) for word in process.arguments):
        raise Refused("stty with these arguments", why=" ".join(process.arguments))
    process.complain("stty: 'standard input': Inappropriate ioctl for device")
    return 1


def fmt(process: Process) -> int:
    """``fmt`` of what nobody reads."""
    options, names = options_of(process, "c|crown-margin s|split-only t|tagged-paragraph u|uniform-spacing w|width=")
    if names or process.captured or not re.fullmatch(r"[1-9][0-9]{0,2}", options.get("w", "75")):
        raise Refused("what fmt prints is read", why=" ".join(process.arguments))
    process.read()
    return 0


PROGRAMS: dict[str, Program] = {"fmt": fmt, "stty": stty}
"""Programs by name."""
