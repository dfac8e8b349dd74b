"""Errors of the hub, sorted by what a worker should do next.

* NaveError
  * ConfigError      a person must change the configuration; the flow stops
    * LoginError     the far side does not let us in; each further try may lock the account, so there is none
  * RetryableError   the same call may succeed later; back off, `after` is the far side's own advice
    * StoreAway      the hub's own store is not there; look again soon
  * WaitingError     something else must arrive first; park until it does
  * UnknownOutcome   the far side may have done it; probe before trying again
  * PermanentError   this record can never succeed; dead letter, with its reason

Anything else is a bug in Nave or in a connector: dead letter, with its traceback.
"""

from __future__ import annotations

from enum import Enum

from nave.core.texts import DEFAULT_LANGUAGE, message


class NaveError(Exception):
    """A failure with a stable code (`NAVE-M104`), the values its text needs, and, where known, the field it is about."""

    def __init__(self, code: str, *, field: str | None = None, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.params = params

    def text(self, language: str = DEFAULT_LANGUAGE) -> str:
        """One line that says what is wrong, in `language`."""
        return message(self.code, "text", language, **self.params)

    def help(self, language: str = DEFAULT_LANGUAGE) -> str:
        """One line that says what to do, in `language`; empty where there is nothing to add."""
        return message(self.code, "help", language, **self.params)

    def __str__(self) -> str:
        return f"{self.code}: {self.text()}"


class ConfigError(NaveError):
    """A person must change the configuration before this can work."""


class LoginError(ConfigError):
    """The far side refuses who the hub says it is. Tried again and again it may lock the account: a person looks first."""


class RetryableError(NaveError):
    """The same call may succeed later; `after` seconds is the far side's own advice, if it gave one."""

    def __init__(self, code: str, *, after: float | None = None, field: str | None = None, **params: object) -> None:
        super().__init__(code, field=field, **params)
        self.after = after


class StoreAway(RetryableError):
    """The hub's own store cannot be used for now: nothing can be done until it is back, and then all of it at once."""

    def __init__(self, reason: str) -> None:
        super().__init__("NAVE-E001", reason=reason)


class WaitingError(NaveError):
    """Something else must arrive first: `on` is the golden record that this one waits for, as of its version `seen`."""

    def __init__(self, code: str, *, on: int, seen: int, field: str | None = None, **params: object) -> None:
        super().__init__(code, field=field, **params)
        self.on = on
        self.seen = seen


class UnknownOutcome(NaveError):
    """The far side may or may not have done it; only a probe or a person can tell."""


class PermanentError(NaveError):
    """This record can never succeed as it is."""


class Verdict(Enum):
    """What a worker does next."""

    STOP = "stop"
    RETRY = "retry"
    WAIT = "wait"
    PROBE = "probe"
    DEAD = "dead"


_VERDICTS: tuple[tuple[type[BaseException], Verdict], ...] = (
    (ConfigError, Verdict.STOP),
    (RetryableError, Verdict.RETRY),
    (WaitingError, Verdict.WAIT),
    (UnknownOutcome, Verdict.PROBE),
)


def verdict(error: BaseException) -> Verdict:
    """Decide once, for all callers; what nobody thought of is parked, not retried."""
    return next((answer for kind, answer in _VERDICTS if isinstance(error, kind)), Verdict.DEAD)
