"""How the hub shows a service who it is: headers that stay, and OAuth 2 tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nave.connectors.oauth import Tokens


class Login(Protocol):
    """Headers that let the hub in."""

    def headers(self) -> list[str]:
        """What to send now; a NaveError where nothing can be had."""

    def refused(self) -> bool:
        """A call was answered 401: whether new headers might do better."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Headers that never change."""

    lines: tuple[str, ...]

    def headers(self) -> list[str]:
        """The same each time."""
        return list(self.lines)

    def refused(self) -> bool:
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

    def refused(self) -> bool:
        """Forget the token, so that the next headers hold another one."""
        self.tokens.forget()
        return True
