"""The shapes of values in Debian's indices, and so in locks: what is none of these is refused, whoever signed it.

Names, versions and architectures as in deb-control(5) and deb-version(7), in lower case where Debian policy (5.6.1) has
it so; paths are relative, and mean nothing to a file system but directories and a file.
"""

from assembler.recipe.names import FILE_PATH

SHA256 = r"[0-9a-f]{64}"
NAME = r"[a-z0-9][a-z0-9+.-]+"
VERSION = r"[0-9A-Za-z.+~:-]+"
ARCHITECTURE = r"[a-z0-9][a-z0-9-]*"
PATH = FILE_PATH
ACCOUNT = r"[A-Za-z_][A-Za-z0-9_.-]{0,254}\$?"
"""The name of a user or group, as shadow's and adduser's programs take it with whatever option."""

LONGEST = 1024
"""Characters of a value; file names are shorter anyway (NAME_MAX, 255)."""
LARGEST = 1 << 40
"""Bytes of a file that can be locked."""
EPOCH_END = 1 << 32
"""Seconds since 1970 that the formats of images hold; until the year 2106."""
