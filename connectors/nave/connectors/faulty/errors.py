"""The errors that `faulty` makes up, in the hub's own terms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError, UnknownOutcome


@contextmanager
def translating(position: str | None) -> Iterator[None]:
    """A checkpoint that another connector wrote is the one thing that can be wrong here by itself."""
    try:
        yield
    except ValueError as error:
        raise ConfigError("NAVE-S003", position=short(position)) from error


def not_now(call: int) -> RetryableError:
    """Nothing happened; the same call may succeed later."""
    return RetryableError("NAVE-S070", call=call)


def lost_reply(call: int) -> UnknownOutcome:
    """It happened, and nobody heard."""
    return UnknownOutcome("NAVE-S071", call=call)


def refusal(key: str) -> PermanentError:
    """This record is not wanted, now or ever."""
    return PermanentError("NAVE-S072", key=short(key))
