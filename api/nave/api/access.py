"""Who asks: what somebody shows for a token, and whether it is somebody on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from ipaddress import ip_address

from starlette.types import Scope

_PASSED_ON = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
"""What proxies add to a request."""


def shows(token: bytes | None, shown: bytes) -> bool:
    """Whether an Authorization header holds this token; None is held by nobody. Takes as long for a wrong one as for a
    right one."""
    kind, _, said = shown.partition(b" ")
    return token is not None and compare_digest(said.strip(), token) and kind.lower() == b"bearer"


def who(tokens: Mapping[str, bytes], shown: bytes) -> str | None:
    """Whose token an Authorization header holds; None where it is nobody's."""
    found = [name for name, token in tokens.items() if shows(token, shown)]
    return found[0] if found else None


def from_here(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether somebody on this machine asks, for himself: what a proxy passes on comes from anywhere."""
    client = scope.get("client")
    if client is None or any(name in headers for name in _PASSED_ON):
        return False
    try:
        address = ip_address(client[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
