"""Turns what can go wrong inside the process into errors of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nave.connectors.wording import short
from nave.core.errors import ConfigError


@contextmanager
def translating(position: str | None) -> Iterator[None]:
    """A checkpoint that another connector wrote is the one thing that can be wrong here."""
    try:
        yield
    except ValueError as error:
        raise ConfigError("NAVE-S003", position=short(position)) from error
