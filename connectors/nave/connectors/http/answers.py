"""What an answer means for a record: one table of statuses, and the few things that options change about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nave.connectors.http.client import Answer
from nave.connectors.http.options import Echo, HttpSinkOptions, Outcomes, Success, as_code
from nave.connectors.http.paths import MISSING, at
from nave.connectors.http.waits import retry_after
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.formats import loads

RAW = 2_000
"""Characters of an answer that a receipt keeps."""
_LATER = frozenset({408, 425, 429})
_WRONG_SET_UP = frozenset({301, 302, 303, 307, 308, 405})
"""Wrong for every record alike: dead letters by the thousand would help nobody, so the flow stops."""
NO_ENTRY = frozenset({401, 407})
"""The login is refused; 403 says that too where nothing has been taken yet, and else that one record is not wanted."""
_MAY_HAVE_PASSED = frozenset({502, 504})
_CODED = frozenset({400, 404, 409, 410, 422, 500})
"""Bad statuses beside which a code may say more than the status does."""
_GONE = frozenset({404, 410})


def judge(record: Outbound, options: HttpSinkOptions, answer: Answer, *, welcome: bool = True) -> Receipt:
    """The receipt for a complete answer, or for one cut at the size limit; `welcome` says that others were taken before."""
    receipt = _judged(record, options, answer, welcome)
    if options.echo is None or record.retired or receipt.outcome in (Outcome.UNKNOWN, Outcome.RETRY):
        return receipt
    return _of_this(record, options, options.echo, answer, receipt)


def _of_this(record: Outbound, options: HttpSinkOptions, echo: Echo, answer: Answer, receipt: Receipt) -> Receipt:
    """The receipt, unless the answer is about another record, or says yes without saying to which."""
    sent = record.key if echo.field is None else at(record.values, echo.field)
    try:
        found = at(loads(answer.body), echo.path)
    except NaveError:
        found = MISSING
    silent = found is MISSING and (receipt.outcome is Outcome.REJECTED or not 200 <= answer.status < 300)
    if sent in (None, "", MISSING) or silent or as_code(found).strip() == as_code(sent).strip():
        return receipt
    raw = _raw(answer)
    return lost(options, "NAVE-K256", raw, path=echo.path, said=_shown(found), sent=short(sent), answer=short(raw))


def _raw(answer: Answer) -> str:
    return answer.body[: RAW * 4].decode("utf-8", "replace")[:RAW]


def _judged(record: Outbound, options: HttpSinkOptions, answer: Answer, welcome: bool) -> Receipt:
    status, body, whole = answer.status, answer.body, answer.whole
    raw = _raw(answer)
    if 200 <= status < 300:
        return _good(record, options, answer, raw)
    if status in _CODED and (receipt := _coded(record, options, answer, raw)) is not None:
        return receipt
    if status == 409 and options.conflict == "duplicate":
        return Receipt(Outcome.DUPLICATE, _key(options, body, whole) or record.remote_key, raw=raw)
    if status in NO_ENTRY or (status == 403 and not welcome):
        return Receipt(Outcome.RETRY, error=LoginError("NAVE-S060", status=status, answer=short(raw)), raw=raw, tried=False)
    if status in _WRONG_SET_UP:
        return Receipt(Outcome.RETRY, error=ConfigError("NAVE-S060", status=status, answer=short(raw)), raw=raw)
    if status in _MAY_HAVE_PASSED:
        return lost(options, "NAVE-S061", raw, status=status, answer=short(raw))
    if status >= 500 or status in _LATER or (status == 409 and options.conflict == "retry"):
        after = retry_after(answer.header("Retry-After"))
        error = RetryableError("NAVE-S061", after=after, status=status, answer=short(raw))
        return Receipt(Outcome.RETRY, error=error, raw=raw)
    return Receipt(Outcome.REJECTED, error=PermanentError("NAVE-S062", status=status, answer=short(raw)), raw=raw)


def judge_deletion(record: Outbound, options: HttpSinkOptions, answer: Answer, *, welcome: bool = True) -> Receipt:
    """The receipt for DELETE: what is gone already is well, and an answer without a body has no more to say."""
    if answer.status in _GONE:
        return Receipt(Outcome.DUPLICATE, record.remote_key)
    if 200 <= answer.status < 300 and not answer.body:
        return Receipt(Outcome.ACCEPTED, record.remote_key)
    return judge(record, options, answer, welcome=welcome)


def lost(options: HttpSinkOptions, code: str, raw: str = "", **params: Any) -> Receipt:
    """The outcome is not known: safe to repeat where the target takes a key once only, else for a probe or a person."""
    if options.idempotent:
        return Receipt(Outcome.RETRY, error=RetryableError(code, **params), raw=raw)
    return Receipt(Outcome.UNKNOWN, error=UnknownOutcome(code, **params), raw=raw)


def _good(record: Outbound, options: HttpSinkOptions, answer: Answer, raw: str) -> Receipt:
    if options.success is None and options.outcomes is None and (options.key_path is None or record.retired):
        return Receipt(Outcome.ACCEPTED, record.remote_key)
    status = answer.status
    if options.success is not None and options.success.absent and not answer.body and options.key_path is None:
        return Receipt(Outcome.ACCEPTED, record.remote_key)
    if not answer.whole:
        return lost(options, "NAVE-S063", raw, status=status, reason=f"> {options.max_answer} B")
    try:
        said = loads(answer.body)
    except NaveError as error:
        return lost(options, "NAVE-S063", raw, status=status, reason=short(error.text()))
    if options.outcomes is not None:
        return _by_code(record, options, options.outcomes, said, answer, raw)
    success = options.success
    if success is not None and not _succeeded(success, found := at(said, success.path)):
        refusal = PermanentError("NAVE-S064", path=success.path, said=_shown(found), answer=short(raw))
        return Receipt(Outcome.REJECTED, error=refusal, raw=raw)
    return Receipt(Outcome.ACCEPTED, _key_in(options, said) or record.remote_key)


def _succeeded(success: Success, found: Any) -> bool:
    return (found is MISSING or found is None) if success.absent else found == success.equals


def _coded(record: Outbound, options: HttpSinkOptions, answer: Answer, raw: str) -> Receipt | None:
    """What a listed code beside a bad status means; "done" is believed beside a good one only."""
    outcomes = options.outcomes
    if outcomes is None or not answer.whole:
        return None
    try:
        said = loads(answer.body)
    except NaveError:
        return None
    code = as_code(at(said, outcomes.path))
    listed = [*outcomes.duplicate, *outcomes.rejected, *outcomes.retry]
    if code not in {as_code(one) for one in listed}:
        return None
    return _by_code(record, options, outcomes, said, answer, raw)


def _by_code(record: Outbound, options: HttpSinkOptions, outcomes: Outcomes, said: Any, answer: Answer, raw: str) -> Receipt:
    found = at(said, outcomes.path)
    shown = {"path": outcomes.path, "said": _shown(found), "answer": short(raw)}
    means = {as_code(code): outcome for outcome, codes in _lists(outcomes).items() for code in codes}
    outcome = means.get(as_code(found)) if isinstance(found, str | int) else None
    if outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE):
        return Receipt(outcome, _key_in(options, said) or record.remote_key)
    if outcome is None:
        return Receipt(Outcome.REJECTED, error=PermanentError("NAVE-K241", **shown), raw=raw)
    return Receipt(outcome, error=_ERRORS[outcome](shown, retry_after(answer.header("Retry-After"))), raw=raw)


def _lists(outcomes: Outcomes) -> dict[Outcome, list[Any]]:
    return {
        Outcome.ACCEPTED: list(outcomes.accepted),
        Outcome.DUPLICATE: list(outcomes.duplicate),
        Outcome.REJECTED: list(outcomes.rejected),
        Outcome.RETRY: list(outcomes.retry),
    }


_ERRORS: Mapping[Outcome, Callable[[dict[str, str], float | None], NaveError]] = {
    Outcome.REJECTED: lambda shown, _after: PermanentError("NAVE-S064", **shown),
    Outcome.RETRY: lambda shown, after: RetryableError("NAVE-K242", after=after, **shown),
}


def _shown(found: Any) -> str:
    return "-" if found is MISSING else short(found)


def _key(options: HttpSinkOptions, body: bytes, whole: bool) -> str | None:
    try:
        return _key_in(options, loads(body)) if whole and options.key_path else None
    except NaveError:
        return None


def _key_in(options: HttpSinkOptions, answer: Any) -> str | None:
    found = at(answer, options.key_path) if options.key_path else None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) and found != "" else None


def with_value(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `values` with one at a dotted path; what is on the way and no mapping is replaced by one."""
    step, _, rest = path.partition(".")
    inner = values.get(step)
    return {**values, step: with_value(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value}


def without(values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A copy of `values` with nothing at a dotted path."""
    step, _, rest = path.partition(".")
    inner = values.get(step)
    if rest and isinstance(inner, Mapping):
        return {**values, step: without(inner, rest)}
    return {name: value for name, value in values.items() if rest or name != step}
