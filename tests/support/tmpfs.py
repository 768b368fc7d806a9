"""Where measurements and long proofs work, so that no disk is in their way."""

import shutil


def tmpfs(room: int) -> str | None:
    """The usual tmpfs when it has more than `room` bytes, else None for where temporary files go."""
    directory = "/dev/shm"
    try:
        return directory if shutil.disk_usage(directory).free > room else None
    except OSError:
        return None
