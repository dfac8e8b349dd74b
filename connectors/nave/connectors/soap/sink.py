"""Calls one operation per record, several at a time, and says of each what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import TracebackType

from nave.connectors.soap.answers import judge, lost
from nave.connectors.soap.arguments import sent
from nave.connectors.soap.options import SoapOptions, SoapSinkOptions
from nave.connectors.soap.service import Service
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

_HELD_BACK = "NAVE-S058"
_WHOLE = frozenset({"NAVE-S050", "NAVE-K226"})
"""What is said of the service and not of a record: nobody there, or not now."""


class SoapSink:
    """One operation of one service. Blocks until all answers are there."""

    def __init__(self, connection: SoapOptions, options: SoapSinkOptions, setting: Setting) -> None:
        self._options = options
        self._service = Service(connection, setting, resend=options.idempotent)
        self._operation = self._service.operation(options.operation)
        self._url = connection.url
        self._pool = ThreadPoolExecutor(options.concurrency, "nave-soap")
        self._proven = False

    def __enter__(self) -> SoapSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown()
        self._service.__exit__(kind, error, trace)

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. RetryableError when not one was taken, ConfigError when the service turns all away alike.

        The first call of all goes alone: a wrong password is tried once, and locks nobody out. Once a call finds nobody,
        runs out of time or is told "not now", those that have not begun are held back: not sent.
        """
        stop = Event()
        receipts: list[Receipt] = []
        left = list(records)
        while left and not self._proven and not stop.is_set():
            receipts.append(self._one(left.pop(0), stop))
        receipts += self._pool.map(lambda record: self._one(record, stop), left)
        errors = [receipt.error for receipt in receipts if receipt.outcome is Outcome.RETRY]
        if errors and len(errors) == len(receipts):
            _raise_for_all([error for error in errors if error is not None])
        return receipts

    def _one(self, record: Outbound, stop: Event) -> Receipt:
        if record.retired:
            return Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
        if stop.is_set():
            return Receipt(Outcome.RETRY, error=RetryableError(_HELD_BACK, url=self._url), tried=False)
        try:
            receipt = judge(record, self._options, self._operation(sent(record, self._options)), self._url)
            self._proven = self._proven or not isinstance(receipt.error, ConfigError)
        except PermanentError as error:
            return Receipt(Outcome.REJECTED, error=error)
        except UnknownOutcome as error:
            receipt = lost(self._options, error)
            if error.code == "NAVE-S051":
                stop.set()
        except (TypeError, ValueError, OverflowError) as error:
            return Receipt(Outcome.REJECTED, error=PermanentError("NAVE-S059", reason=str(error)[:80]))
        except NaveError as error:
            receipt = Receipt(Outcome.RETRY, error=error)
            stop.set()
        if isinstance(receipt.error, ConfigError):
            stop.set()
        return receipt


def _raise_for_all(errors: Sequence[NaveError]) -> None:
    """All records are to be tried again: an error says so once, if nothing was taken or nothing will change by itself."""
    for error in errors:
        if isinstance(error, ConfigError):
            raise error
    telling = [error for error in errors if error.code != _HELD_BACK]
    if all(error.code in _WHOLE for error in telling):
        raise telling[0]
