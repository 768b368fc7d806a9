"""What is raised for a lock that cannot be read or written, or is not for what is being built."""

from assembler.errors import AssembleError

RESTORE = "the lock is not for editing: restore it, or delete it and run `assemble lock`"


class LockError(AssembleError):
    """A lock cannot be read or written, or is not for what is being built."""
