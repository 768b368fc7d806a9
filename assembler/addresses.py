"""Logins inside addresses. A recipe, its lock and all that tells of an image name addresses, so none of these may."""

import re
from urllib.parse import unquote

HINT = "put it into ~/.netrc, or under [login] of the assembler's configuration file, and take it out of the address"
"""Where a login belongs."""

_LOGIN = re.compile(r"(?<=[a-z0-9+.-]:)(/+)[^/\s?#\"'<>]*@", re.IGNORECASE)
"""What stands before the host (the userinfo of RFC 3986, 3.2.1), as lenient readers of addresses take it."""
_QUERY = re.compile(r"\?[^\s#\"'<>]+")
_WHOLE_LOGIN = re.compile(r"(?<![^\s\"])([a-z][a-z0-9+.-]*:/+)[^/\s?#]*@", re.IGNORECASE)
_WHOLE_QUERY = re.compile(r"(?<![^\s\"])([a-z][a-z0-9+.-]*:/+[^\s?#]*)\?[^\s#]+", re.IGNORECASE)
"""The same where an address begins a word or what is in quotes: others within it are a part of it."""
_SECRET = re.compile(
    r"(?:.*[-_.])?(?:token|secret|password|passwd|pwd|api[-_]?key|signature|sig|credential|auth|authorization)"
    r"|accesstoken|authtoken|x-(?:amz|goog)-(?:signature|credential|security-token)",
    re.IGNORECASE,
)
"""Parameters that are secrets by their names. Others cannot be known."""


def login_in(text: str) -> str:
    """What kind of login an address in `text` has: "a login" or "the secret 'token'"; empty for none."""
    if ":/" not in text:
        return ""
    if _LOGIN.search(text) or _WHOLE_LOGIN.search(text):
        return "a login"
    for query in (*_QUERY.findall(text), *(found[0][len(found[1]) :] for found in _WHOLE_QUERY.finditer(text))):
        for pair in query.lstrip("?").replace(";", "&").split("&"):
            name, _, value = pair.partition("=")
            if value.strip('",') and _SECRET.fullmatch(unquote(name[:40])):
                return f"the secret '{name[:40]}'"
    return ""


def without_logins(text: str) -> str:
    """`text` as it may be shown: what may be a login in its addresses, queries included, is an ellipsis."""
    if ":/" not in text:
        return text
    text = _WHOLE_QUERY.sub(r"\1?…", _WHOLE_LOGIN.sub(r"\1…@", text))
    return _QUERY.sub("?…", _LOGIN.sub(r"\1…@", text))
