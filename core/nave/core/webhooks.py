"""Standard Webhooks 1.0: signs what is sent, and tells whether what came was signed by somebody who knows the secret.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Symmetric (v1)".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from hmac import compare_digest, digest

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_VERSION = "v1"
_MOST = 20
"""Signatures of one message that are looked at: more than any change of secrets needs."""


def secret_key(secret: str) -> bytes:
    """The key in a secret, `whsec_` and 24 to 64 bytes in base64; for anything else a ValueError without it."""
    text = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError("expected a Standard Webhooks secret: whsec_ and 24 to 64 bytes in base64")
    return key


def signed(keys: Iterable[bytes], number: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature for each key."""
    return " ".join(f"{_VERSION},{base64.b64encode(_made(key, number.encode(), timestamp, body)).decode()}" for key in keys)


def verified(keys: Sequence[bytes], number: bytes, timestamp: int, signatures: bytes, body: bytes) -> bool:
    """Whether one of the signatures was made with one of the keys. Compares all with all, whatever comes first."""
    made = [_made(key, number, timestamp, body) for key in keys]
    shown = [_shown(one) for one in signatures.split(b" ", _MOST)[:_MOST]]
    return sum(compare_digest(one, other) for one in made for other in shown) > 0  # any() would stop at the first


def _made(key: bytes, number: bytes, timestamp: int, body: bytes) -> bytes:
    return digest(key, b"%s.%d.%s" % (number, timestamp, body), "sha256")


def _shown(signature: bytes) -> bytes:
    """The bytes of one `v1,BASE64`; empty, and so like nothing, for other versions and for what is no base64."""
    version, _, text = signature.partition(b",")
    try:
        return base64.b64decode(text, validate=True) if version == _VERSION.encode() else b""
    except (ValueError, binascii.Error):
        return b""
