"""Saves records of one form: each is looked for by its number first, so that a lost answer makes nothing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from nave.connectors.k3cloud.errors import failed, garbled, refusal, status_in
from nave.connectors.k3cloud.options import K3Options, K3SinkOptions
from nave.connectors.k3cloud.saving import Row, Wanted, body, gathered, row_of, same, saved, unchanged, version_of, wanted
from nave.connectors.k3cloud.wire import Wire
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

_AT_ONCE = 50
"""Numbers of one question."""
_PAGE, _MOST = 2000, 100_000
"""Rows of a page, and of all pages of a question."""
_FORM = "DynamicFormService."
_HELD_BACK = "NAVE-S058"
_AWAY = frozenset({"NAVE-S050", "NAVE-K410", "NAVE-K418", "NAVE-K419"})
Rows = Mapping[str, Sequence[Row]]


class K3Sink:
    """One form. Without `mark` K/3 keeps no version: what comes last wins, so the hub must not send older ones, and does
    not."""

    def __init__(self, connection: K3Options, options: K3SinkOptions, setting: Setting) -> None:
        self._options = options
        self._url = connection.url
        self._wire = Wire(connection, setting)

    def __enter__(self) -> K3Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. RetryableError when the server is away, ConfigError when it turns all away alike.

        Once it does not answer any more, those that have not begun are held back.
        """
        if not records:
            return []
        plans = [self._plan(record) for record in records]
        rows = self._rows([one.number for one in plans if isinstance(one, Wanted)])
        receipts: list[Receipt] = []
        for record, plan in zip(records, plans, strict=True):
            receipt = self._one(record, plan, rows)
            receipts.append(receipt)
            if isinstance(receipt.error, ConfigError) or (receipt.error and receipt.error.code in _AWAY):
                break
        back = RetryableError(_HELD_BACK, url=self._url)
        return receipts + [Receipt(Outcome.RETRY, error=back, tried=False) for _ in records[len(receipts) :]]

    def _plan(self, record: Outbound) -> Wanted | Receipt:
        if record.retired:
            return Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
        try:
            return wanted(self._options, record)
        except PermanentError as error:
            return Receipt(Outcome.REJECTED, record.remote_key, error)

    def _rows(self, numbers: Sequence[str]) -> Rows:
        """What K/3 has under each of the numbers."""
        options, found = self._options, dict[str, list[Row]]()
        mark = [options.mark] if options.mark else []
        fields = [options.key, options.id, "FDocumentStatus", *mark, *options.compare, *options.lines]
        own = f" and ({options.filter})" if options.filter else ""
        for start in range(0, len(numbers), _AT_ONCE):
            listed = ",".join(_quoted(number) for number in numbers[start : start + _AT_ONCE])
            told = self._told(fields, f"{options.key} in ({listed}){own}")
            for rows in gathered(options, [dict(zip(fields, row, strict=True)) for row in told]):
                found.setdefault(same(str(rows[0][options.key])), []).append(row_of(options, rows))
        return found

    def _told(self, fields: Sequence[str], condition: str) -> list[list[Any]]:
        """All rows of a question: a bill has one for each of its entries."""
        options = self._options
        order = ",".join(f"{name} ASC" for name in (options.id, *options.lines[:1]))
        found: list[list[Any]] = []
        while True:
            page = self._wire.rows(options.form, fields, condition, order, start=len(found), limit=_PAGE)
            found += page
            if len(page) < _PAGE:
                return found
            if len(found) >= _MOST:
                raise ConfigError("NAVE-K416", form=options.form, reason=f"> {_MOST} rows")

    def _one(self, record: Outbound, plan: Wanted | Receipt, rows: Rows) -> Receipt:
        if isinstance(plan, Receipt):
            return plan
        try:
            row = self._only(plan, rows)
            if row is None and record.remote_key is not None:
                raise PermanentError("NAVE-K414", what=short(plan.number), form=self._options.form)
            done = self._made(record, plan) if row is None else self._changed(record, plan, row)
            return Receipt(Outcome.ACCEPTED if done else Outcome.DUPLICATE, plan.number)
        except PermanentError as error:
            return Receipt(Outcome.REJECTED, record.remote_key, error, raw=short(error.params.get("reason", ""), 2000))
        except (ConfigError, RetryableError) as error:
            tried = not isinstance(error, ConfigError) and error.code not in _AWAY
            return Receipt(Outcome.RETRY, record.remote_key, error, tried=tried)

    def _only(self, plan: Wanted, rows: Rows) -> Row | None:
        found = rows.get(same(plan.number), ())
        if len(found) > 1:
            raise PermanentError("NAVE-K421", what=short(plan.number), count=len(found), form=self._options.form)
        return found[0] if found else None

    def _made(self, record: Outbound, plan: Wanted) -> bool:
        try:
            self._save(plan, None)
        except PermanentError:
            row = self._only(plan, self._rows([plan.number]))  # one that seemed lost may have come through meanwhile
            if row is None:
                raise
            return self._changed(record, plan, row)
        return True

    def _changed(self, record: Outbound, plan: Wanted, row: Row) -> bool:
        """False where K/3 has this version already, or a newer one, or all that is compared as it is wanted."""
        held = version_of(row.mark, record.key) if self._options.mark else None
        if (held is not None and held >= record.version) or unchanged(self._options, plan, row):
            return False
        if not row.closed:
            self._save(plan, row)
            return True
        if not self._options.reopen or row.status == "B":
            raise PermanentError("NAVE-K413", what=short(plan.number), reason=f"FDocumentStatus {row.status}")
        self._do("UnAudit", row)
        try:
            self._save(plan, row)
        except PermanentError:
            with suppress(NaveError):  # what is refused must not leave behind what nobody can use
                self._do("Submit", row)
                self._do("Audit", row)
            raise
        return True

    def _save(self, plan: Wanted, row: Row | None) -> None:
        saved(self._wire.call(f"{_FORM}Save", body(self._options, plan, row), asks=False), plan.number)

    def _do(self, operation: str, row: Row) -> None:
        call: Mapping[str, Any] = {"formid": self._options.form, "data": {"Ids": str(row.id)}}
        status = status_in(self._wire.call(f"{_FORM}{operation}", call, asks=False))
        what = f"{operation} {row.id}"
        if status is None:
            raise garbled(what, "no ResponseStatus")
        if failed(status):
            raise refusal(status, what)


def _quoted(text: str) -> str:
    """A text inside a condition: nothing in a number can end it."""
    return "'" + text.replace("'", "''") + "'"
