"""What K/3 Cloud says, as errors of the hub: by its code (MsgCode), else by its words. Failures come with status 200."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError


class Meaning(Enum):
    """What a failure asks for."""

    SESSION = "session"
    """Log in, call again."""
    AUDITED = "audited"
    """The record cannot be changed as it stands."""
    LATER = "later"
    RIGHT = "right"
    """A right or a licence is missing: the same call gives the same."""
    REFUSED = "refused"


_CODES: Mapping[str, Meaning] = {
    "1": Meaning.SESSION,
    "2": Meaning.RIGHT,
    "7": Meaning.RIGHT,
    "13": Meaning.LATER,
    "14": Meaning.LATER,
    "15": Meaning.RIGHT,
}
"""Lost context, no right, licence, somebody is at it, too many calls, administrators are not let in."""
_WORDS: tuple[tuple[str, Meaning], ...] = (
    ("会话信息已丢失", Meaning.SESSION),
    ("会话超时", Meaning.SESSION),
    ("没有权限", Meaning.RIGHT),
    ("无权限", Meaning.RIGHT),
    ("网络冲突", Meaning.LATER),
    ("网控", Meaning.LATER),
    ("死锁", Meaning.LATER),
    ("deadlock", Meaning.LATER),
    ("请稍后", Meaning.LATER),
    ("不允许修改", Meaning.AUDITED),
    ("不能修改", Meaning.AUDITED),
)
_MOST_SAID = 5
_KINDS: Mapping[Meaning, tuple[type[NaveError], str]] = {
    Meaning.SESSION: (RetryableError, "NAVE-K419"),
    Meaning.AUDITED: (PermanentError, "NAVE-K413"),
    Meaning.LATER: (RetryableError, "NAVE-K417"),
    Meaning.RIGHT: (ConfigError, "NAVE-K420"),
    Meaning.REFUSED: (PermanentError, "NAVE-K412"),
}


def status_in(said: Any) -> Mapping[str, Any] | None:
    """The ResponseStatus of an answer, also where a query wraps it into a row of a row; None where there is none."""
    while isinstance(said, list) and len(said) == 1:
        said = said[0]
    for name in ("Result", "ResponseStatus"):
        said = said.get(name) if isinstance(said, dict) else None
    return said if isinstance(said, dict) else None


def failed(status: Mapping[str, Any] | None) -> bool:
    """Whether a ResponseStatus says that it was not done."""
    return status is not None and status.get("IsSuccess") is not True


def meaning(status: Mapping[str, Any]) -> Meaning:
    """What a failure asks for."""
    known = _CODES.get(str(status.get("MsgCode")))
    said = words(status).lower()
    return known or next((one for text, one in _WORDS if text in said), Meaning.REFUSED)


def words(status: Mapping[str, Any]) -> str:
    """What it says in its errors, with the fields that they are about."""
    errors = status.get("Errors")
    told = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    texts = [": ".join(str(one[name]) for name in ("FieldName", "Message") if one.get(name)) for one in told[:_MOST_SAID]]
    return short("; ".join(text for text in texts if text) or f"MsgCode {status.get('MsgCode')}", 500)


def refusal(status: Mapping[str, Any], what: str) -> NaveError:
    """The error that a failed call comes to; a query that is refused is a matter of its options."""
    kind, code = _KINDS[meaning(status)]
    return kind(code, what=short(what), reason=words(status))


def unasked(status: Mapping[str, Any], form: str) -> NaveError:
    """The error that a failed query comes to."""
    if meaning(status) in (Meaning.REFUSED, Meaning.AUDITED):
        return ConfigError("NAVE-K416", form=form, reason=words(status))
    return refusal(status, form)


def garbled(what: str, reason: str) -> NaveError:
    """For an answer that is none of K/3's."""
    return RetryableError("NAVE-K410", what=short(what), reason=short(reason, 200))


def bad_status(status: int, what: str, after: float | None) -> NaveError:
    """For an HTTP status other than 200: K/3 itself never says anything by it."""
    if status in (401, 403, 407):
        return LoginError("NAVE-K411", reason=f"HTTP {status}")
    if status >= 500 or status in (408, 425, 429):
        return RetryableError("NAVE-K417", after=after, what=short(what), reason=f"HTTP {status}")
    return ConfigError("NAVE-K416", form=short(what), reason=f"HTTP {status}")
