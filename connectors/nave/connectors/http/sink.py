"""Sends one JSON document per record, several at a time, and says of each what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import msgspec
from yarl import URL

from nave.connectors.http.answers import judge, lost
from nave.connectors.http.client import Client, address, body_of
from nave.connectors.http.errors import translating
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

_UNREACHED = "NAVE-S050"
_HELD_BACK = "NAVE-S058"


class HttpSink:
    """One path of one service. Blocks until all answers are there; call it outside any event loop."""

    def __init__(self, connection: HttpOptions, options: HttpSinkOptions, setting: Setting) -> None:
        self._options = options
        self._client = Client(connection, setting, options.concurrency)
        # The same for all records where nothing of them is in the path, and dear to make for each.
        self._address = None if "{" in options.path else URL(self._client.url + options.path, encoded=True)
        self._encode = msgspec.json.Encoder(decimal_format="string" if options.numbers == "text" else "number").encode
        self._headers = {"Content-Type": "application/json", **options.headers}

    def __enter__(self) -> HttpSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. RetryableError when not one was sent, ConfigError when the service turns all away alike.

        Once a call finds nobody or runs out of time, the calls that have not begun are held back: retry, not sent.
        """
        if not records:
            return []
        receipts = self._client.run(self._all(records))
        errors = [receipt.error for receipt in receipts if receipt.outcome is Outcome.RETRY]
        if len(errors) == len(receipts):
            _raise_for_all([error for error in errors if error is not None])
        return receipts

    async def _all(self, records: Sequence[Outbound]) -> list[Receipt]:
        receipts: list[Receipt | None] = [None] * len(records)
        waiting = iter(enumerate(records))
        lanes = min(self._options.concurrency, len(records))
        await asyncio.gather(*(self._lane(waiting, receipts) for _ in range(lanes)))
        held_back = RetryableError(_HELD_BACK, url=self._client.url)
        return [receipt or Receipt(Outcome.RETRY, error=held_back) for receipt in receipts]

    async def _lane(self, waiting: Iterator[tuple[int, Outbound]], receipts: list[Receipt | None]) -> None:
        for number, record in waiting:
            receipts[number], go_on = await self._one(record)
            if not go_on:
                for _ in waiting:  # the other lanes find nothing left to begin
                    pass

    async def _one(self, record: Outbound) -> tuple[Receipt, bool]:
        """The receipt, and whether it makes sense to go on with others."""
        if record.retired:
            return Receipt(Outcome.ACCEPTED), True
        try:
            body = self._encode(record.values)
            url = self._address or address(self._client.url, self._options.path, record)
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
            return Receipt(Outcome.REJECTED, error=PermanentError("NAVE-S059", reason=str(error)[:80])), True
        try:
            with translating(str(url)):
                session = self._client.session()
                sending = session.request(
                    self._options.method, url, data=body, headers=self._headers_of(record), allow_redirects=False
                )
                async with sending as answer:
                    content, whole = await body_of(answer, self._options.max_answer)
                    receipt = judge(record, self._options, answer.status, answer.headers, content, whole=whole)
                    return receipt, not isinstance(receipt.error, ConfigError)
        except UnknownOutcome as error:
            params: dict[str, Any] = dict(error.params)
            return lost(self._options, error.code, **params), False
        except (RetryableError, ConfigError) as error:
            return Receipt(Outcome.RETRY, error=error), False

    def _headers_of(self, record: Outbound) -> dict[str, str]:
        headers = {**self._headers, self._options.idempotency_header: record.idempotency_key}
        if self._options.version_header is not None:
            headers[self._options.version_header] = str(record.version)
        return headers


def _raise_for_all(errors: Sequence[NaveError]) -> None:
    """All records are to be tried again: an error says so once, if nothing was sent or nothing will change by itself."""
    for error in errors:
        if isinstance(error, ConfigError):
            raise error
    if all(error.code in (_UNREACHED, _HELD_BACK) for error in errors):
        raise next(error for error in errors if error.code == _UNREACHED)


def check(connection: HttpOptions, setting: Setting) -> None:
    """Ask the service for its headers; any answer but "who are you" will do. Without a url there is nothing to ask."""
    if connection.url is None:
        return
    client = Client(connection, setting, 1)
    try:
        client.run(_ask(client))
    finally:
        client.close()


async def _ask(client: Client) -> None:
    with translating(client.url):
        async with client.session().head(client.url, allow_redirects=False) as answer:
            if answer.status in (401, 407):
                raise ConfigError("NAVE-S060", status=answer.status, answer="")
