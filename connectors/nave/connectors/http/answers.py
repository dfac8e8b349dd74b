"""What an answer means for a record: one table of statuses, and the few things that options change about it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from nave.connectors.http.client import Answer
from nave.connectors.http.options import HttpSinkOptions
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.formats import loads

RAW = 2_000
"""Characters of an answer that a receipt keeps."""
_LATER = frozenset({408, 425, 429})
_WRONG_SET_UP = frozenset({301, 302, 303, 307, 308, 401, 405, 407})
"""Wrong for every record alike: dead letters by the thousand would help nobody, so the flow stops."""
_MAY_HAVE_PASSED = frozenset({502, 504})
_MISSING = object()


def judge(record: Outbound, options: HttpSinkOptions, answer: Answer) -> Receipt:
    """The receipt for a complete answer, or for one cut at the size limit."""
    status, body, whole = answer.status, answer.body, answer.whole
    raw = body[: RAW * 4].decode("utf-8", "replace")[:RAW]
    if 200 <= status < 300:
        return _good(record, options, status, body, raw, whole=whole)
    if status == 409 and options.conflict == "duplicate":
        return Receipt(Outcome.DUPLICATE, _key(options, body, whole) or record.remote_key, raw=raw)
    if status in _WRONG_SET_UP:
        return Receipt(Outcome.RETRY, error=ConfigError("NAVE-S060", status=status, answer=short(raw)), raw=raw)
    if status in _MAY_HAVE_PASSED:
        return lost(options, "NAVE-S061", raw, status=status, answer=short(raw))
    if status >= 500 or status in _LATER or (status == 409 and options.conflict == "retry"):
        after = retry_after(answer.header("Retry-After"))
        error = RetryableError("NAVE-S061", after=after, status=status, answer=short(raw))
        return Receipt(Outcome.RETRY, error=error, raw=raw)
    return Receipt(Outcome.REJECTED, error=PermanentError("NAVE-S062", status=status, answer=short(raw)), raw=raw)


def lost(options: HttpSinkOptions, code: str, raw: str = "", **params: Any) -> Receipt:
    """The outcome is not known: safe to repeat where the target takes a key once only, else for a probe or a person."""
    if options.idempotent:
        return Receipt(Outcome.RETRY, error=RetryableError(code, **params), raw=raw)
    return Receipt(Outcome.UNKNOWN, error=UnknownOutcome(code, **params), raw=raw)


def _good(record: Outbound, options: HttpSinkOptions, status: int, body: bytes, raw: str, *, whole: bool) -> Receipt:
    if options.success is None and options.key_path is None:
        return Receipt(Outcome.ACCEPTED, record.remote_key)
    if not whole:
        return lost(options, "NAVE-S063", raw, status=status, reason=f"> {options.max_answer} B")
    try:
        answer = loads(body)
    except NaveError as error:
        return lost(options, "NAVE-S063", raw, status=status, reason=short(error.text()))
    success = options.success
    if success is not None and (said := at(answer, success.path)) != success.equals:
        shown = "-" if said is _MISSING else short(said)
        refusal = PermanentError("NAVE-S064", path=success.path, said=shown, answer=short(raw))
        return Receipt(Outcome.REJECTED, error=refusal, raw=raw)
    return Receipt(Outcome.ACCEPTED, _key_in(options, answer) or record.remote_key)


def _key(options: HttpSinkOptions, body: bytes, whole: bool) -> str | None:
    try:
        return _key_in(options, loads(body)) if whole and options.key_path else None
    except NaveError:
        return None


def _key_in(options: HttpSinkOptions, answer: Any) -> str | None:
    found = at(answer, options.key_path) if options.key_path else None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) and found != "" else None


def at(answer: Any, path: str) -> Any:
    """The value at a dotted path, numbers being places in lists; a value of its own where there is none."""
    for step in path.split("."):
        if isinstance(answer, dict) and step in answer:
            answer = answer[step]
        elif isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return _MISSING
    return answer


def retry_after(text: str | None) -> float | None:
    """Seconds, from a number or a date; at most a day; None where there is nothing sensible."""
    if not text:
        return None
    try:
        seconds = float(text) if text.strip().isdecimal() else (_moment(text) - datetime.now(UTC)).total_seconds()
    except ValueError:
        return None
    return min(max(seconds, 0.0), 86_400.0)


def _moment(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
