"""The instance-id that a seed gets when nobody gives one: what makes another machine of it.

cloud-init does most of what user-data says once in an instance's life. So another host name and other user-data are
another instance. What a node follows whenever it starts is not: its network-config, and the keys of root.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

_EVERY_START = frozenset(["ssh_authorized_keys", "disable_root"])
"""Keys of a cloud-config that say nothing of what is done once."""


def instance_id(hostname: str, user_data: bytes, config: Mapping[Any, Any] | None) -> str:
    """The instance-id of a machine with this host name and user-data, which may be one cloud-config and nothing else.

    Such a one counts by what it says: comments, order and layout are nothing. All else counts by its bytes.
    """
    said = user_data if config is None else _said(config)
    return f"iid-{hashlib.sha256(hostname.encode() + bytes(1) + said).hexdigest()[:20]}"


def _said(config: Mapping[Any, Any]) -> bytes:
    return _canonical({key: value for key, value in config.items() if key not in _EVERY_START}).encode()


def _canonical(value: Any) -> str:
    """A value of YAML as a text that is the same for the same values, whatever the order of keys."""
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{_canonical(key)}:{_canonical(one)}' for key, one in value.items()))}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_canonical, value))}]"
    if isinstance(value, set):
        return f"({','.join(sorted(map(_canonical, value)))})"
    return repr(value)
