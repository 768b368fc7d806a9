"""Decompressing zstd data of strangers: never more than the caller allows, whatever the frame says of itself.

For a frame in memory, which a kernel or an image has alone; tree/compressed.py reads files of any number of frames.
zstandard's own ``max_output_size`` holds only for frames that do not state their size (RFC 8878, 3.1.1.1.4).
"""

import zstandard


def decompress(data: bytes, limit: int, *, alone: bool = False) -> bytes:
    """The bytes of the first frame in `data`, at most `limit`.

    `alone`: nothing may follow it. Raises zstandard.ZstdError for a damaged frame, one that has or states more bytes,
    and what follows.
    """
    stated = zstandard.frame_content_size(data)
    if stated > limit:
        raise zstandard.ZstdError(f"it has {stated} bytes, which is more than {limit}")
    decompressor = zstandard.ZstdDecompressor()
    try:
        found = decompressor.decompress(data, max_output_size=max(limit, 1), allow_extra_data=not alone)
    except MemoryError as error:
        raise zstandard.ZstdError("it takes more memory than there is") from error
    if len(found) > limit:
        raise zstandard.ZstdError(f"it has more than {limit} bytes")
    return found
