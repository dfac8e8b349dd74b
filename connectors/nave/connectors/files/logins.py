"""Remembers a login that a server refused, so that no hub locks an account by trying it again and again.

What is kept is a salted hash: it tells whether user and secret are still those that were refused, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from nave.core.errors import ConfigError

_SALT = 16


class Login:
    """One user of one server with one secret."""

    def __init__(self, folder: Path, url: str, user: str, secret: bytes) -> None:
        self._path = folder / ".nave" / "refused-logins" / hashlib.sha256(f"{user}@{url}".encode()).hexdigest()[:32]
        self._hung = self._path.with_suffix(".hung")
        self._url, self._user, self._secret = url, user, secret

    def check(self) -> None:
        """ConfigError NAVE-K283 if the server has refused exactly this before."""
        with suppress(FileNotFoundError):
            kept = self._path.read_bytes()
            if hmac.compare_digest(kept[_SALT:], self._digest(kept[:_SALT])):
                raise self.error("refused before")

    def refused(self, reason: str) -> ConfigError:
        """Remember it; the error to raise."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        salt = secrets.token_bytes(_SALT)
        with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(salt + self._digest(salt))
        return self.error(reason)

    def hung_up(self) -> bool:
        """The server went away instead of answering; whether it did so at the last try as well.

        Some servers refuse like that. One that was shut down just then does not do it twice.
        """
        before = self._hung.exists()
        self._hung.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._hung.touch(0o600)
        return before

    def accepted(self) -> None:
        """Forget what was refused."""
        self._path.unlink(missing_ok=True)
        self._hung.unlink(missing_ok=True)

    def error(self, reason: str) -> ConfigError:
        """As a person sees it."""
        return ConfigError("NAVE-K283", url=self._url, user=self._user, reason=reason)

    def _digest(self, salt: bytes) -> bytes:
        return hashlib.scrypt(self._secret, salt=salt, n=2**12, r=8, p=1)
