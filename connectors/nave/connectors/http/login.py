"""How the hub shows a service who it is: headers that stay, and OAuth 2 tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nave.connectors.oauth import Tokens

_STRANGER = 401
_ENDED = frozenset({401, 403})
"""What a session that is over is answered, and a nonce that is not, or no longer, its own."""


class Login(Protocol):
    """Headers that let the hub in."""

    def headers(self) -> list[str]:
        """What to send now; a NaveError where nothing can be had."""

    def refused(self, status: int) -> bool:
        """A call was answered so: whether new headers might do better."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Headers that never change."""

    lines: tuple[str, ...]

    def headers(self) -> list[str]:
        """The same each time."""
        return list(self.lines)

    def refused(self, status: int) -> bool:
        """No others to offer."""
        return False


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, and what goes beside it."""

    tokens: Tokens
    beside: tuple[str, ...]

    def headers(self) -> list[str]:
        """With a token, fetched if need be; RetryableError or ConfigError if none is given."""
        return [f"Authorization: Bearer {self.tokens.token()}", *self.beside]

    def refused(self, status: int) -> bool:
        """Forget the token, so that the next headers hold another one."""
        if status != _STRANGER:
            return False
        self.tokens.forget()
        return True


@dataclass(slots=True)
class Nonced:
    """A login, and what a service's session wants sent beside it."""

    login: Login
    fetch: Callable[[], list[str]]
    """Ask for it; a NaveError where it cannot be had."""
    _held: list[str] | None = None

    def headers(self) -> list[str]:
        """Those of the login, and what was fetched, which is fetched once."""
        if self._held is None:
            self._held = self.fetch()
        return [*self.login.headers(), *self._held]

    def refused(self, status: int) -> bool:
        """The session may have ended: the next headers hold what a new one gives."""
        if status not in _ENDED or self._held is None:
            return self.login.refused(status)
        self._held = None
        self.login.refused(status)
        return True
