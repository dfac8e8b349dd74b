"""What the answer to a post means for each of its documents: statuses, codes and words, one table each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nave.connectors.exchange import Answer
from nave.connectors.nc.bills import Bill
from nave.connectors.nc.meanings import Meant
from nave.connectors.nc.receipts import Told, shown
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outcome, Receipt

_NO_ENTRY = frozenset({401, 403, 407})
_SET_UP = frozenset({301, 302, 303, 307, 308, 404, 405, 410})
LATER = frozenset({408, 425, 429, 503})
"""Nothing was done, and nothing would be done of anything else."""


def refused(reply: Answer) -> NaveError | None:
    """What a status means by itself; None for one that a receipt comes with. No redirect is followed."""
    status = reply.status
    if 200 <= status < 300:
        return None
    params: dict[str, Any] = {"status": status, "answer": shown(reply.content)}
    if status in _NO_ENTRY:
        return LoginError("NAVE-K391", **params)
    if status in _SET_UP:
        return ConfigError("NAVE-K391", **params)
    if status in LATER:
        return RetryableError("NAVE-K391", after=reply.retry_after, **params)
    if 400 <= status < 500:
        return PermanentError("NAVE-K391", **params)
    return UnknownOutcome("NAVE-K391", **params)


def lost(error: NaveError, *, idempotent: bool, settle: float) -> Receipt:
    """Nobody knows whether it was booked: the same id again is safe where repeats are refused, else a person is asked.

    Not at once: the server may still be at work on it, and sites can switch off the lock that keeps two apart.
    """
    params: dict[str, Any] = dict(error.params)
    if not idempotent:
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome(error.code, **params))
    return Receipt(Outcome.RETRY, error=RetryableError(error.code, after=settle or None, **params))


def booked(bill: Bill, told: Told | None, outcome: Outcome = Outcome.ACCEPTED) -> Receipt:
    """The server has it; what it calls it is believed only with the good code."""
    key = told.key if told is not None and outcome is Outcome.ACCEPTED else None
    return Receipt(outcome, key or bill.record.remote_key or bill.id, raw=told.raw if told else "")


def not_booked(bill: Bill, told: Told, meant: Meant) -> Receipt:
    """The receipt for anything but yes and "there already"."""
    said = {"id": bill.id, "result": short(told.code or "-", 20), "said": short(_line(told.text), 200)}
    return refusal(meant, said, told.raw)


def refusal(meant: Meant, said: Mapping[str, Any], raw: str) -> Receipt:
    """The receipt for a refusal; `said` holds `id`, `result` and `said`, for its text."""
    outcome, kind, code = _REFUSALS.get(meant.meaning, _REFUSALS["rejected"])
    found = {"archive": short(meant.archive or "-", 40), "value": short(meant.code or "-", 60)}
    params: dict[str, Any] = {**said, **(found if meant.meaning == "code" else {})}
    return Receipt(outcome, error=kind(code, **params), raw=raw, tried=kind is not ConfigError)


def _line(text: str) -> str:
    """A description without its lines of beginning and end, which say nothing."""
    lines = [line.strip() for line in text.splitlines()]
    telling = [line for line in lines if line and not line.endswith(("开始处理...", "开始处理…", "处理完毕!", "处理完毕！"))]
    return " ".join(telling or lines) or "-"


_REFUSALS: Mapping[str, tuple[Outcome, type[NaveError], str]] = {
    "rejected": (Outcome.REJECTED, PermanentError, "NAVE-K393"),
    "code": (Outcome.REJECTED, PermanentError, "NAVE-K394"),
    "rolled back": (Outcome.RETRY, RetryableError, "NAVE-K395"),
    "setup": (Outcome.RETRY, ConfigError, "NAVE-K396"),
    "change": (Outcome.REJECTED, PermanentError, "NAVE-K397"),
    "retry": (Outcome.RETRY, RetryableError, "NAVE-K399"),
}
