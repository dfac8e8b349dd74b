"""Sends one JSON document per record, several at a time, and says of each what became of it."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import msgspec

from nave.connectors.http.addresses import address, fields
from nave.connectors.http.answers import NO_ENTRY, judge, judge_deletion, lost, with_value, without
from nave.connectors.http.client import Answer, Call, Client
from nave.connectors.http.options import HttpOptions, HttpSinkOptions, Update
from nave.connectors.http.paths import at
from nave.connectors.oauth import UNRENEWED
from nave.core import webhooks
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

_UNREACHED = frozenset({"NAVE-S050", UNRENEWED})
_HELD_BACK = "NAVE-S058"
_BUSY = frozenset({429, 503})
"""The service takes nothing from anybody for now, so the rest need not be tried: RFC 9110 15.6.4, RFC 6585 4."""


class HttpSink:
    """One path of one service. Blocks until all answers are there."""

    def __init__(self, connection: HttpOptions, options: HttpSinkOptions, setting: Setting) -> None:
        self._options = options
        self._deleting = options.model_copy(update={"idempotent": True})
        self._delete_path = options.delete_path or options.path
        self._client = Client(
            connection, setting, lanes=options.concurrency, most=options.max_answer, resend=options.idempotent
        )
        self._encode = msgspec.json.Encoder(decimal_format="string" if options.numbers == "text" else "number").encode
        self._headers = {"Content-Type": "application/json", **options.headers}
        self._welcome = False
        self._keys = options.webhook.keys if options.webhook else ()

    def __enter__(self) -> HttpSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. RetryableError when not one was taken, ConfigError when the service turns all away alike.

        Once a call finds nobody, runs out of time or is told "not now", those that have not begun are held back: not sent.
        """
        receipts: dict[int, Receipt] = {}
        calls = self._calls(records, receipts)
        for number, answer in self._client.exchange(calls):
            receipts[number], go_on = self._judged(records[number], answer)
            if not go_on:
                calls.close()
        held_back = Receipt(Outcome.RETRY, error=RetryableError(_HELD_BACK, url=self._client.url), tried=False)
        listed = [receipts.get(number, held_back) for number in range(len(records))]
        errors = [receipt.error for receipt in listed if receipt.outcome is Outcome.RETRY]
        concerned = sum(receipt.tried or receipt.outcome is Outcome.RETRY for receipt in listed)
        if errors and len(errors) == concerned:
            _raise_for_all([error for error in errors if error is not None])
        return listed

    def _calls(self, records: Sequence[Outbound], receipts: dict[int, Receipt]) -> Generator[tuple[int, Call], None, None]:
        """What is to be sent; records for which nothing is get their receipts at once."""
        for number, record in enumerate(records):
            if record.retired and (receipt := self._without_call(record)) is not None:
                receipts[number] = receipt
                continue
            try:
                yield number, self._deletion(record) if record.retired else self._call(record)
            except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
                receipts[number] = Receipt(Outcome.REJECTED, error=PermanentError("NAVE-S059", reason=str(error)[:80]))

    def _without_call(self, record: Outbound) -> Receipt | None:
        """The receipt of a retired record for which nothing is sent; it says so: `tried` is false."""
        if self._options.retired == "keep":
            return Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
        if record.remote_key is None and "remote_key" in fields(self._delete_path):
            return Receipt(Outcome.REJECTED, error=PermanentError("NAVE-K240"), tried=False)
        return None

    def _call(self, record: Outbound) -> Call:
        way, record = _way(self._options, record)
        url = address(self._client.url, way.path, record)
        body = self._encode(record.values)
        return Call(way.method, url, self._told(record, body), body)

    def _deletion(self, record: Outbound) -> Call:
        told = self._told(record, b"")
        del told["Content-Type"]
        return Call("DELETE", address(self._client.url, self._delete_path, record), told)

    def _told(self, record: Outbound, body: bytes) -> dict[str, str]:
        headers = {**self._headers, self._options.idempotency_header: record.idempotency_key}
        if self._options.version_header is not None:
            headers[self._options.version_header] = str(record.version)
        if self._keys:
            number, now = record.idempotency_key, int(time.time())
            headers |= {webhooks.ID: number, webhooks.TIMESTAMP: str(now)}
            headers[webhooks.SIGNATURE] = webhooks.signed(self._keys, number, now, body)
        return headers

    def _judged(self, record: Outbound, answer: Answer | NaveError) -> tuple[Receipt, bool]:
        """The receipt, and whether it makes sense to go on with others."""
        if isinstance(answer, Answer):
            judged = judge_deletion if record.retired else judge
            receipt = judged(record, self._judging(record), answer, welcome=self._welcome)
            self._welcome = self._welcome or 200 <= answer.status < 300
            return receipt, answer.status not in _BUSY and not isinstance(receipt.error, ConfigError)
        if isinstance(answer, UnknownOutcome):
            params: dict[str, Any] = dict(answer.params)
            return lost(self._judging(record), answer.code, **params), False
        return Receipt(Outcome.RETRY, error=answer, tried=answer.code != UNRENEWED), False

    def _judging(self, record: Outbound) -> HttpSinkOptions:
        """DELETE has the same effect twice as once (RFC 9110, 9.2.2), so one that got lost is sent again at any target."""
        return self._deleting if record.retired else self._options


def _way(options: HttpSinkOptions, record: Outbound) -> tuple[HttpSinkOptions | Update, Outbound]:
    """The call that makes the record or, where the target has it, the one that changes it; with its key in the body then."""
    update = options.update
    if update is None:
        return options, record
    known = at(record.values, update.key)
    key = known if isinstance(known, str) and known else record.remote_key
    if not key:
        return options, replace(record, values=without(record.values, update.key))
    return update, replace(record, values=with_value(record.values, update.key, key), remote_key=key)


def _raise_for_all(errors: Sequence[NaveError]) -> None:
    """All records are to be tried again: an error says so once, if nothing was taken or nothing will change by itself."""
    for error in errors:
        if isinstance(error, ConfigError):
            raise error
    telling = [error for error in errors if error.code != _HELD_BACK]
    if all(error.code in _UNREACHED or error.params.get("status") in _BUSY for error in telling):
        raise telling[0]


def check(connection: HttpOptions, setting: Setting) -> None:
    """Ask the service for its headers: any answer but "who are you" will do. Where `check` names a path, ask for that,
    which must be answered well. Without a url there is nothing to ask."""
    if connection.url is None:
        return
    client = Client(connection, setting)
    try:
        answer = client.one(Call("GET", client.url + connection.check) if connection.check else Call("HEAD", client.url))
    finally:
        client.close()
    if answer.status in NO_ENTRY or (connection.check and answer.status == 403):
        raise LoginError("NAVE-S060", status=answer.status, answer="")
    if connection.check and not 200 <= answer.status < 300:
        raise ConfigError("NAVE-S060", status=answer.status, answer="")
