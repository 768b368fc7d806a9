"""What is told of a seed, as lines."""

from assembler.seed.examine import examined
from assembler.seed.image import Image

NAMES = {"user-data": "ud", "network-config": "nc", "meta-data": "md"}


def told(image: Image | None, user_data: str = "", *, network_config: str = "") -> list[str]:
    """Errors, and then warnings, which begin with ``warning: ``."""
    files = {"user-data": user_data.encode(), "network-config": network_config.encode()}
    found = examined(files, names=NAMES, image=image)
    return [*map(str, found.errors), *(f"warning: {one}" for one in found.warnings)]
