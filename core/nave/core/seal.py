"""Encrypts what the hub must read again and whoever reads its store must not: by keys that the store does not hold."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nave.core.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_SIZE = 32


def seal_key(text: str) -> str:
    """The key, as it was given; ValueError, without its text, for what is not 32 bytes in base64."""
    try:
        size = len(base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != _SIZE:
        raise ValueError("expected 32 random bytes in base64, such as `openssl rand -base64 32` gives")
    return text


class Seal:
    """Fernet (AES-128-CBC with HMAC-SHA256): the first key closes, each of them opens, so that keys can be changed."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = [seal_key(one).replace("+", "-").replace("/", "_") for one in keys]

    def __repr__(self) -> str:
        return f"Seal({len(self._keys)} keys)"

    def close(self, text: str) -> str:
        """The text as it may be stored; ConfigError where there is no key."""
        return self._fernet().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was closed; ConfigError where there is no key, or where none of them fits."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise ConfigError("NAVE-K389") from error

    def _fernet(self) -> MultiFernet:
        if not self._keys:
            raise ConfigError("NAVE-K388", reason="http.seal_keys")
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ImportError as error:
            raise ConfigError("NAVE-K388", reason="cryptography (extra `seal`)") from error
        return MultiFernet([Fernet(one) for one in self._keys])
