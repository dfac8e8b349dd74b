"""Calls a stored procedure once per record, and takes what it answers for the receipt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Dialect, Engine

from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import Call, SqlOptions, SqlSinkOptions
from nave.connectors.sql.select import one_of
from nave.connectors.sql.upsert import marks
from nave.connectors.sql.values import parameters
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

_OWN: dict[str, Callable[[Outbound], object]] = {
    "$key": lambda record: record.key,
    "$version": lambda record: record.version,
    "$id": lambda record: record.idempotency_key,
    "$null": lambda record: None,
}


def statement(dialect: Dialect, call: Call) -> str:
    """The call in the dialect's words, with a mark for each argument."""
    written = ".".join(_as_named(part, dialect) for part in call.procedure.split("."))
    following = marks(dialect)
    listed = ", ".join(next(following) for _ in call.arguments)
    if call.function:
        return f"select * from {written}({listed})"
    if dialect.name == "oracle":
        return f"begin {written}({listed}); end;"
    return f"exec {written} {listed}".rstrip() if dialect.name == "mssql" else f"call {written}({listed})"


def _as_named(part: str, dialect: Dialect) -> str:
    """A name in quotes stays so; one without keeps the dialect's own way with case."""
    return dialect.identifier_preparer.quote_identifier(part.strip('"')) if part.startswith('"') else part


class ProcedureSink:
    """One procedure; each call is a transaction of its own."""

    def __init__(self, connection: SqlOptions, options: SqlSinkOptions, setting: Setting) -> None:
        assert options.call is not None
        self._connection = connection
        self._call: Call = options.call
        self._setting = setting
        self._name = setting.name
        self._engine: Engine | None = None

    def __enter__(self) -> ProcedureSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """As the procedure says. Behind a lost connection the rest is not called; nobody knows of the one that was."""
        if self._engine is None:
            self._engine = engine(self._connection, self._setting)
        receipts: list[Receipt] = []
        with translating(self._name), self._engine.connect() as connection:
            for record in records:
                receipts.append(self._one(connection, record))
                if receipts[-1].outcome in (Outcome.UNKNOWN, Outcome.RETRY):
                    break
        rest = receipts[-1].error if receipts else None
        held_back = RetryableError("NAVE-S030", name=self._name, reason=str(rest.params.get("reason", "")) if rest else "")
        return receipts + [Receipt(Outcome.RETRY, error=held_back, tried=False)] * (len(records) - len(receipts))

    def _one(self, connection: Connection, record: Outbound) -> Receipt:
        if record.retired:
            return Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
        try:
            with translating(self._name):
                receipt = self._receipt(record, self._ask(connection, record))
                if receipt.outcome is Outcome.ACCEPTED:
                    connection.commit()
                else:
                    connection.rollback()
        except RetryableError as error:
            return self._lost(connection, error)
        except PermanentError as error:
            connection.rollback()
            return Receipt(Outcome.REJECTED, error=error, raw=str(error.params.get("reason", "")))
        return receipt

    def _ask(self, connection: Connection, record: Outbound) -> Mapping[str, Any]:
        """The first row of what the procedure answers, by column; empty where it answers nothing."""
        values = [[_OWN[name](record) if name in _OWN else record.values.get(name)] for name in self._call.arguments]
        row = parameters(connection.dialect.name, values)[0] if values else ()
        result = connection.exec_driver_sql(statement(connection.dialect, self._call), tuple(row))
        if not result.returns_rows:
            return {}
        first = result.mappings().first()
        return {str(name): value for name, value in first.items()} if first is not None else {}

    def _receipt(self, record: Outbound, answer: Mapping[str, Any]) -> Receipt:
        said = {wanted: self._at(answer, wanted) for wanted in ("code", "message", "remote_key")}
        remote = None if said["remote_key"] is None else str(said["remote_key"]).strip()
        code = "" if said["code"] is None else str(said["code"]).strip()
        if self._call.code is None or code in {str(one) for one in self._call.accepted}:
            return Receipt(Outcome.ACCEPTED, remote, raw=short(dict(answer), 400))
        refusal = PermanentError(
            "NAVE-K207",
            name=self._name,
            procedure=self._call.procedure,
            answer=short(code),
            reason=short(said["message"] if said["message"] is not None else "", 200),
        )
        return Receipt(Outcome.REJECTED, remote, refusal, short(dict(answer), 400))

    def _at(self, answer: Mapping[str, Any], wanted: str) -> Any:
        column: str | None = getattr(self._call, wanted)
        if column is None:
            return None
        if not answer:
            raise ConfigError("NAVE-S041", name=self._name, column=column, near="-")
        return answer[one_of(column, list(answer), self._name)]

    def _lost(self, connection: Connection, error: RetryableError) -> Receipt:
        """A deadlock or a lock says that nothing was done. A connection that is gone says nothing."""
        if error.code != "NAVE-S030" or self._call.idempotent:
            if not connection.invalidated:
                connection.rollback()
            return Receipt(Outcome.RETRY, error=error)
        reason = str(error.params.get("reason", ""))
        gone = UnknownOutcome("NAVE-K208", name=self._name, procedure=self._call.procedure, reason=reason)
        return Receipt(Outcome.UNKNOWN, error=gone, raw=reason)
