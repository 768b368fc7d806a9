"""Public SSH keys that a seed hands out."""

import base64
import binascii

from assembler.recipe.document import did_you_mean
from assembler.recipe.shapes import quoted
from assembler.seed.texts import SeedError

_KEY_TYPES = frozenset(
    [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ]
)


def public_key(text: str) -> str:
    """One OpenSSH public key (RFC 4253, 6.6), checked and with its white space made single. SeedError otherwise."""
    if "PRIVATE KEY" in text:
        raise SeedError("this is a private SSH key", hint="give the public one, the file that ends in .pub")
    kind, _, rest = " ".join(text.split()).partition(" ")
    blob = rest.partition(" ")[0]
    if kind not in _KEY_TYPES:
        hint = did_you_mean(kind, _KEY_TYPES) or f"it begins with one of {', '.join(sorted(_KEY_TYPES))}"
        raise SeedError(f"{quoted(kind)} is no type of public SSH key", hint=hint)
    try:
        data = base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise SeedError("a public SSH key is damaged", why=f"its base64: {error}", hint="copy the .pub file") from error
    fields = _ssh_strings(data)
    if len(fields) < 2 or fields[0] != kind.encode():
        raise SeedError("a public SSH key is damaged", why=f"it holds no {kind} key", hint="copy the .pub file whole")
    return f"{kind} {rest}"


def _ssh_strings(data: bytes) -> list[bytes]:
    """The strings (RFC 4251, 5) that `data` consists of; none when it does not."""
    fields = []
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        if len(data) < end:
            return []
        fields.append(data[4:end])
        data = data[end:]
    return fields
