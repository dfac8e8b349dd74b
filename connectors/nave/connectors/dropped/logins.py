"""Remembers a login that a server refused, for a moment: flows that share it do not all try it and lock the account.

The flow that was refused is stopped by the hub, as with every other connector, until a person has looked. What is kept
is a salted hash: it tells whether user and secret are still those that were refused, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from nave.core.errors import LoginError

_SALT = 16
_MOMENT = 60.0
"""Seconds for which nobody else tries; `nave source resume` and `nave sink resume` are heard after it."""


class Login:
    """One user of one server with one secret."""

    def __init__(self, folder: Path, url: str, user: str, secret: bytes) -> None:
        self._path = folder / ".nave" / "refused-logins" / hashlib.sha256(f"{user}@{url}".encode()).hexdigest()[:32]
        self._hung = self._path.with_suffix(".hung")
        self._url, self._user, self._secret = url, user, secret

    def check(self) -> None:
        """LoginError NAVE-K283 if the server refused exactly this a moment ago."""
        with suppress(FileNotFoundError):
            kept = self._path.read_bytes()
            fresh = abs(time.time() - self._path.stat().st_mtime) < _MOMENT
            if fresh and hmac.compare_digest(kept[_SALT:], self._digest(kept[:_SALT])):
                raise self.error("refused a moment ago")

    def refused(self, reason: str) -> LoginError:
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

    def error(self, reason: str) -> LoginError:
        """As a person sees it."""
        return LoginError("NAVE-K283", url=self._url, user=self._user, reason=reason)

    def _digest(self, salt: bytes) -> bytes:
        return hashlib.scrypt(self._secret, salt=salt, n=2**12, r=8, p=1)
