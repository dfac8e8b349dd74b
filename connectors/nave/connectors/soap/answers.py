"""What an answer means for a record: faults by a table that options add to, values by what the sink looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nave.connectors.soap.options import Echo, Meaning, SoapSinkOptions
from nave.connectors.soap.plain import opened, text_at
from nave.connectors.soap.service import Told
from nave.connectors.wording import short
from nave.core import protocols
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Receipt

_LOST = "lost"
_SET_UP = "set-up"
_FAULTS: Mapping[str, str] = {
    "Client": "rejected",
    "Sender": "rejected",
    "Server": _LOST,
    "Receiver": _LOST,
    "VersionMismatch": _SET_UP,
    "MustUnderstand": _SET_UP,
    "DataEncodingUnknown": _SET_UP,
    "FailedAuthentication": _SET_UP,
    "FailedCheck": _SET_UP,
    "InvalidSecurity": _SET_UP,
    "InvalidSecurityToken": _SET_UP,
    "SecurityTokenUnavailable": _SET_UP,
    "UnsupportedSecurityToken": _SET_UP,
}
"""By the local name of the code. A server that failed may have failed after the deed."""
_ERRORS: Mapping[str, tuple[protocols.Outcome, type[NaveError]]] = {
    "rejected": (protocols.Outcome.REJECTED, PermanentError),
    "retry": (protocols.Outcome.RETRY, RetryableError),
    "unknown": (protocols.Outcome.UNKNOWN, UnknownOutcome),
    _SET_UP: (protocols.Outcome.RETRY, ConfigError),
}


def judge(record: Outbound, options: SoapSinkOptions, told: Told, url: str) -> Receipt:
    """The receipt for a complete answer; raises UnknownOutcome where it cannot be understood."""
    if told.faulted:
        meaning = _fault(told, options)
        params = {"codes": ", ".join(told.codes), "said": told.text or "-"}
        return _receipt(record, meaning, "NAVE-K227", told.raw, options, params)
    if options.outcome is None and options.key_path is None and options.echo is None:
        return Receipt(protocols.Outcome.ACCEPTED, record.remote_key, raw=told.raw)
    values = opened(told.values, options.answer, url)
    said = text_at(values, options.outcome.path) if options.outcome is not None else None
    meaning = _meaning(options, said) if options.outcome is not None else "accepted"
    if options.echo is not None and (strange := _of_another(record, options.echo, values, meaning)) is not None:
        params = {"path": options.echo.path, "answer": short(told.raw), **strange}
        return _receipt(record, _LOST, "NAVE-K256", told.raw, options, params)
    key = text_at(values, options.key_path)
    if options.outcome is None:
        return Receipt(protocols.Outcome.ACCEPTED, key or record.remote_key, raw=told.raw)
    params = {"path": options.outcome.path, "said": short(said or "-"), "answer": short(told.raw)}
    return _receipt(record, meaning, "NAVE-K229", told.raw, options, params, key)


def _of_another(record: Outbound, echo: Echo, values: Any, meaning: str) -> dict[str, str] | None:
    """What was sent and what is repeated, where an answer is about another record, or says yes without saying to which."""
    sent = record.key if echo.field is None else text_at(record.values, echo.field)
    said = text_at(values, echo.path)
    if sent is None or said == sent.strip() or (said is None and meaning not in ("accepted", "duplicate")):
        return None
    return {"sent": short(sent), "said": short(said or "-")}


def lost(options: SoapSinkOptions, error: UnknownOutcome) -> Receipt:
    """The outcome is not known: safe to repeat where the target takes repeats, else for a probe or a person."""
    if options.idempotent:
        params: dict[str, Any] = dict(error.params)
        return Receipt(protocols.Outcome.RETRY, error=RetryableError(error.code, **params))
    return Receipt(protocols.Outcome.UNKNOWN, error=error)


def fault_of(told: Told) -> NaveError:
    """The error for a fault, where nothing was asked but a question: the set-up, the question itself, or not now."""
    meaning = next((_FAULTS[code] for code in told.codes if code in _FAULTS), _LOST)
    params = {"codes": ", ".join(told.codes), "said": told.text or "-"}
    kind: type[NaveError] = RetryableError if meaning == _LOST else ConfigError
    return kind("NAVE-K227", **params)


def _fault(told: Told, options: SoapSinkOptions) -> str:
    """What the configuration says of any of the names goes before what Nave says."""
    for table in (options.faults, _FAULTS):
        for code in told.codes:
            if code in table:
                return table[code]
    return _LOST


def _meaning(options: SoapSinkOptions, said: str | None) -> str:
    """Nothing where the answer should be tells nothing."""
    if said is None or options.outcome is None:
        return _LOST
    lists: Mapping[Meaning, list[str]] = {
        "accepted": options.outcome.accepted,
        "duplicate": options.outcome.duplicate,
        "retry": options.outcome.retry,
        "unknown": options.outcome.unknown,
    }
    return next((meaning for meaning, values in lists.items() if said in values), "rejected")


def _receipt(
    record: Outbound,
    meaning: str,
    code: str,
    raw: str,
    options: SoapSinkOptions,
    params: Mapping[str, Any],
    key: str | None = None,
) -> Receipt:
    if meaning in ("accepted", "duplicate"):
        return Receipt(protocols.Outcome(meaning), key or record.remote_key, raw=raw)
    if meaning == _LOST:
        meaning = "retry" if options.idempotent else "unknown"
    outcome, kind = _ERRORS[meaning]
    return Receipt(outcome, key, error=kind(code, **params), raw=raw)
