"""What NC Cloud's OpenAPI asks of a caller: the encrypted secret, the salt, and signatures.

A secret is encrypted block by block: PKCS #1 v1.5 before 2005, OAEP with SHA-256 from 2005 on. The salt is what Java's
SHA1PRNG gives first when it is seeded with the public key's text: `sha1(sha1(seed))`.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from nave.core.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_SALT_BYTES = 16
_V15_OVERHEAD, _OAEP_OVERHEAD = 11, 2 * 32 + 2
"""Bytes of a block that hold no text: RFC 8017, 7.2.1 and 7.1.1 with SHA-256."""


def salt(public_key: str) -> str:
    """Base64 of the 16 bytes that belong to a public key."""
    once = hashlib.sha1(public_key.encode(), usedforsecurity=False).digest()
    return base64.b64encode(hashlib.sha1(once, usedforsecurity=False).digest()[:_SALT_BYTES]).decode()


def signature(client_id: str, content: str, public_key: str, *, salted: bool) -> str:
    """Hex SHA-256 over the application, the secret or the body of a call, its key and, from 2005 on, the salt."""
    text = client_id + content + public_key + (salt(public_key) if salted else "")
    return hashlib.sha256(text.encode()).hexdigest()


def encrypted(secret: str, public_key: str, generation: str) -> str:
    """Base64 of the secret, different each time. ConfigError NAVE-K398 for a key that is none."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding
    except ImportError as error:
        raise ConfigError("NAVE-K398", reason="cryptography is not installed (extra `ncc`)") from error
    key = _key(public_key)
    modern = generation != "1909"
    sha256 = hashes.SHA256()
    how: Any = padding.OAEP(padding.MGF1(sha256), sha256, None) if modern else padding.PKCS1v15()
    room = key.key_size // 8 - (_OAEP_OVERHEAD if modern else _V15_OVERHEAD)
    data = secret.encode()
    blocks = [data[start : start + room] for start in range(0, len(data), room)]
    return base64.b64encode(b"".join(key.encrypt(block, how) for block in blocks)).decode()


def _key(public_key: str) -> RSAPublicKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
    except Exception as error:  # the library documents ValueError, and raises others on odd input
        raise ConfigError("NAVE-K398", reason=f"public_key: {type(error).__name__}") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < 1024:
        raise ConfigError("NAVE-K398", reason="public_key: no RSA key of 1024 bits or more")
    return key
