"""Posts documents under ids that never change, refusing repeats first, and says of each what became of it.

NC knows a document by its type and `bill@id`. A first post says `replace="N"`: if it, or its receipt, gets lost, the same
post again is either booked or refused as a repeat, and that refusal proves that the first one was. What NC has already is
changed with `replace="Y"`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import Protocol

from nave.connectors.exchange import Answer
from nave.connectors.nc.answers import LATER, booked, lost, not_booked, refused
from nave.connectors.nc.bills import Bill, bill_of, written
from nave.connectors.nc.dialects import Dialect
from nave.connectors.nc.meanings import Meant
from nave.connectors.nc.options import NcFilesOptions, NcOptions, NcSinkOptions, U8Options, U8SinkOptions
from nave.connectors.nc.receipts import Told, opened
from nave.connectors.nc.wire import servlet
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

_HELD_BACK = "NAVE-S058"
_NOBODY = "NAVE-S050"


class Posting(Protocol):
    """The way there and back: to a servlet, or by folders."""

    url: str

    def post(self, body: bytes) -> Answer: ...
    def close(self) -> None: ...


class BillSink:
    """One server. Blocks until all receipts are there."""

    def __init__(
        self,
        dialect: Dialect,
        connection: NcOptions | NcFilesOptions | U8Options,
        options: NcSinkOptions | U8SinkOptions,
        wire: Posting,
        *,
        proven: bool = False,
    ) -> None:
        """`proven` where no login can be refused: then nothing goes alone first."""
        self._dialect = dialect
        self._connection = connection
        self._options = options
        self._judge = dialect.judge(options.texts, options.codes)
        self._settle = options.settle.total_seconds()
        self._wire = wire
        self._pool = ThreadPoolExecutor(options.concurrency, f"nave-{dialect.name}")
        self._proven = proven

    def __enter__(self) -> BillSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown()
        self._wire.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. RetryableError when nobody was reached at all, ConfigError when all are turned away alike.

        The first post of all goes alone. Once one finds nobody, runs out of time or is told "not now", those that have
        not begun are held back: not sent.
        """
        receipts: dict[str, Receipt] = {}
        posts = list(self._posts(records, receipts))
        stop = Event()
        while posts and not self._proven and not stop.is_set():
            receipts |= self._sent(posts.pop(0), stop)
        for one in self._pool.map(lambda post: self._sent(post, stop), posts):
            receipts |= one
        listed = [receipts[record.key] for record in records]
        errors = [receipt.error for receipt in listed if receipt.outcome is Outcome.RETRY]
        if errors and len(errors) == len(listed):
            _raise_for_all([error for error in errors if error is not None])
        return listed

    def _posts(self, records: Sequence[Outbound], receipts: dict[str, Receipt]) -> Iterator[list[Bill]]:
        """What goes together: the same type, new ones and known ones apart; receipts for what is not sent at all."""
        together: dict[tuple[str, bool], list[Bill]] = {}
        for record in records:
            if record.retired:
                receipts[record.key] = Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
                continue
            try:
                bill = bill_of(record, self._options, self._dialect.kind, self._connection.sender)
            except PermanentError as error:
                receipts[record.key] = Receipt(Outcome.REJECTED, error=error)
                continue
            some = together.setdefault((bill.kind, bill.again), [])
            some.append(bill)
            if len(some) == self._options.bills:
                yield together.pop((bill.kind, bill.again))
        yield from together.values()

    def _sent(self, bills: Sequence[Bill], stop: Event) -> dict[str, Receipt]:
        """By key, what became of the documents of one post; where it failed for some, the others go again by themselves."""
        receipts, open_ones = self._posted(bills, stop, replace=bills[0].again)
        for one in open_ones:
            receipts |= self._posted([one], stop, replace=one.again)[0]
        return receipts

    def _posted(self, bills: Sequence[Bill], stop: Event, *, replace: bool) -> tuple[dict[str, Receipt], list[Bill]]:
        """What became of documents, and those of them of which this post tells nothing."""
        if stop.is_set():
            held_back = Receipt(Outcome.RETRY, error=RetryableError(_HELD_BACK, url=self._wire.url), tried=False)
            return {one.record.key: held_back for one in bills}, []
        try:
            told = self._exchanged(bills, replace=replace)
        except NaveError as error:
            if isinstance(error, PermanentError) and len(bills) > 1:
                return {}, list(bills)
            receipt = self._failed(error, stop)
            return {one.record.key: receipt for one in bills}, []
        if len(bills) > 1:
            return self._settled(bills, told)
        (bill,) = bills
        return {bill.record.key: self._judged(bill, told[bill.id], stop, replace=replace)}, []

    def _exchanged(self, bills: Sequence[Bill], *, replace: bool) -> Mapping[str, Told]:
        body = written(self._dialect.compose(bills, replace=replace), self._connection.encoding)
        reply = self._wire.post(body)
        if (error := refused(reply)) is not None:
            raise error
        return self._dialect.told(opened(reply.content, self._wire.url), bills, self._wire.url)

    def _failed(self, error: NaveError, stop: Event) -> Receipt:
        """The receipt where there is none: of all documents of the post alike."""
        if isinstance(error, PermanentError):
            return Receipt(Outcome.REJECTED, error=error)
        if isinstance(error, UnknownOutcome):
            if error.code == "NAVE-S051":
                stop.set()
            return lost(error, idempotent=self._options.idempotent, settle=self._settle)
        stop.set()
        return Receipt(Outcome.RETRY, error=error, tried=not isinstance(error, LoginError))

    def _settled(self, bills: Sequence[Bill], told: Mapping[str, Told]) -> tuple[dict[str, Receipt], list[Bill]]:
        """A post of several is booked whole or not at all: what is said of one beside a failure is not believed."""
        meant = {one.id: self._judge(told[one.id]) for one in bills if one.id in told and not told[one.id].doubtful}
        if len(meant) == len(bills) and all(one.meaning == "accepted" for one in meant.values()):
            return {one.record.key: booked(one, told[one.id]) for one in bills}, []
        receipts = {
            one.record.key: not_booked(one, told[one.id], meant[one.id])
            for one in bills
            if one.id in meant and meant[one.id].meaning in ("rejected", "code")
        }
        return receipts, [one for one in bills if one.record.key not in receipts]

    def _judged(self, bill: Bill, told: Told, stop: Event, *, replace: bool) -> Receipt:
        meant = self._judge(told)
        if told.doubtful:
            error = UnknownOutcome("NAVE-K392", url=self._wire.url, reason=told.raw[:200])
            return lost(error, idempotent=self._options.idempotent, settle=self._settle)
        if meant.meaning == "duplicate":
            return self._repeated(bill, told, stop, replace=replace)
        if meant.meaning != "accepted":
            receipt = not_booked(bill, told, self._of_change(meant, replace=replace))
            if isinstance(receipt.error, ConfigError):
                stop.set()
            else:
                self._proven = True
            return receipt
        self._proven = True
        return booked(bill, told)

    def _of_change(self, meant: Meant, *, replace: bool) -> Meant:
        """A refusal of a change leaves a document there that is older than ours: said apart from one that is not there."""
        return Meant("change") if replace and meant.meaning == "rejected" else meant

    def _repeated(self, bill: Bill, told: Told, stop: Event, *, replace: bool) -> Receipt:
        """It is there. A first version can only be this one; of a later one nobody knows which it is, so it is changed."""
        self._proven = True
        if replace or not self._options.idempotent:
            return not_booked(bill, told, Meant("change" if replace else "rejected"))
        if bill.record.version == 1:
            return booked(bill, told, Outcome.DUPLICATE)
        return self._posted([bill], stop, replace=True)[0][bill.record.key]


def _raise_for_all(errors: Sequence[NaveError]) -> None:
    """All records are to be tried again: an error says so once, if nothing was taken or nothing will change by itself."""
    for error in errors:
        if isinstance(error, ConfigError):
            raise error
    telling = [error for error in errors if error.code != _HELD_BACK]
    if all(error.code == _NOBODY or error.params.get("status") in LATER for error in telling):
        raise telling[0]


def check(connection: NcOptions | U8Options, setting: Setting) -> None:
    """Ask the servlet for its headers: nothing is posted. 404 and "who are you" are errors, any other answer will do."""
    wire = servlet(connection, setting)
    try:
        reply = wire.ask()
    finally:
        wire.close()
    error = refused(reply)
    if isinstance(error, ConfigError) and reply.status != 405:
        raise error
