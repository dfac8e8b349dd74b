"""Sends one message per record, and says of each what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from nave.connectors.amqp.options import AmqpOptions, AmqpSinkOptions
from nave.connectors.amqp.outgoing import Letter, Writer
from nave.connectors.amqp.publishing import Fate, Publisher
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting


class AmqpSink:
    """One exchange or queue. Blocks until all confirms are there."""

    def __init__(self, connection: AmqpOptions, options: AmqpSinkOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting
        self._writer = Writer(options, setting)
        self._publisher: Publisher | None = None

    def __enter__(self) -> AmqpSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._publisher is not None:
            self._publisher.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. Raises what holds for all of them: no broker, no exchange, a login that is refused."""
        receipts: dict[int, Receipt] = {}
        letters: dict[int, Letter] = {}
        for nth, record in enumerate(records):
            made = self._made(record)
            if isinstance(made, Letter):
                letters[nth] = made
            else:
                receipts[nth] = made
        if letters:
            receipts.update(zip(letters, self._sent(list(letters.values())), strict=True))
        return [receipts[nth] for nth in range(len(records))]

    def _made(self, record: Outbound) -> Letter | Receipt:
        if record.retired:
            return Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
        try:
            return self._writer.letter(record)
        except PermanentError as error:
            return Receipt(Outcome.REJECTED, error=error)

    def _sent(self, letters: Sequence[Letter]) -> list[Receipt]:
        publisher = self._opened()
        fates = publisher.send(letters)
        self._raise_for_all(fates, publisher)
        return [self._receipt(fate, letter, publisher) for fate, letter in zip(fates, letters, strict=True)]

    def _opened(self) -> Publisher:
        if self._publisher is not None and self._publisher.error is None:
            return self._publisher
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = Publisher(self._connection, self._options, self._setting)
        self._publisher.open()
        return self._publisher

    def _raise_for_all(self, fates: Sequence[Fate], publisher: Publisher) -> None:
        """Where nothing was taken, an error says so once: no record pays for what is no fault of its own.

        A message that may have arrived is no exception where consumers know it by its id: it is sent again with the same.
        """
        error = publisher.error
        if isinstance(error, ConfigError) and Fate.CONFIRMED not in fates:
            raise error
        nothing = {Fate.UNSENT, Fate.LOST} if self._options.idempotent else {Fate.UNSENT}
        if fates and set(fates) <= nothing:
            raise self._lost(publisher)
        if fates and set(fates) == {Fate.RETURNED}:
            raise self._unroutable(self._options.routing_key)

    def _lost(self, publisher: Publisher) -> RetryableError:
        reason = publisher.error.text() if publisher.error is not None else "-"
        return RetryableError("NAVE-K275", url=self._connection.url, reason=short(reason, 300))

    def _unroutable(self, key: str) -> ConfigError:
        return ConfigError("NAVE-K273", exchange=short(self._options.exchange) or '""', key=short(key))

    def _receipt(self, fate: Fate, letter: Letter, publisher: Publisher) -> Receipt:
        if fate is Fate.CONFIRMED:
            return Receipt(Outcome.ACCEPTED)
        if fate is Fate.REFUSED:
            return Receipt(Outcome.RETRY, error=RetryableError("NAVE-K274", url=self._connection.url))
        if fate is Fate.RETURNED:
            return Receipt(Outcome.RETRY, error=self._unroutable(letter.routing_key))
        if fate is Fate.UNSENT:
            return Receipt(Outcome.RETRY, error=RetryableError("NAVE-K277", url=self._connection.url), tried=False)
        lost = self._lost(publisher)
        if self._options.idempotent:
            return Receipt(Outcome.RETRY, error=lost)
        params: dict[str, Any] = dict(lost.params)
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome(lost.code, **params))
