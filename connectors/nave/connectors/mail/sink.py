"""Sends each batch as one mail, and no version of a record in two different ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any

from nave.connectors.dropped.errors import translating as translating_files
from nave.connectors.dropped.errors import translating_ledger
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.own import alone, spool_of
from nave.connectors.mail.errors import translating
from nave.connectors.mail.letter import Letter, letter, unfit
from nave.connectors.mail.options import MailOptions, MailSinkOptions
from nave.connectors.mail.outbox import Outbox
from nave.connectors.mail.post import hand_in, open_post
from nave.core.errors import ConfigError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

Step = Callable[[str], None]
"""Called with a word between any two changes; tests crash in it."""


def _go_on(step: str) -> None:
    return None


class MailSink:
    """A list of recipients. Each mail has a connection of its own."""

    def __init__(self, connection: MailOptions, options: MailSinkOptions, setting: Setting, step: Step = _go_on) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting
        self._step = step
        self._url = connection.smtp or ""

    def __enter__(self) -> MailSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Accepted where the server took a mail with the record now, duplicate where it did before.

        Raises what holds for all of them: no server, a login or an address that is refused.
        """
        with self._opened() as outbox:
            self._finish(outbox)
            known = outbox.versions([record.key for record in records])
            # A mail says what is; of a record that became part of another there is nothing to say.
            fresh = [one for one in records if one.version > known.get(one.key, -1) and not one.retired]
            receipts = self._refused(fresh)
            fit = [record for record in fresh if id(record) not in receipts]
            if fit:
                receipts |= dict.fromkeys(map(id, fit), self._sent(outbox, fit))
        return [receipts.get(id(record), Receipt(Outcome.DUPLICATE)) for record in records]

    @contextmanager
    def _opened(self) -> Iterator[Outbox]:
        folder, name = self._setting.folder / ".nave", safe_name(self._setting.name)
        path = folder / "mailed" / name / "outbox.db"
        with (
            translating_files(folder),
            translating_ledger(folder),
            translating(self._url),
            closing(spool_of(self._setting.folder, "mailed", name)) as room,
            alone(room),
            closing(Outbox(path)) as outbox,
        ):
            yield outbox

    def _refused(self, records: Sequence[Outbound]) -> dict[int, Receipt]:
        """By identity, since a batch may hold a key twice."""
        errors = unfit(records, self._options) if records else {}
        return {id(records[place]): Receipt(Outcome.REJECTED, error=error) for place, error in errors.items()}

    def _finish(self, outbox: Outbox) -> None:
        """Send again what a crash or a lost answer left behind, or leave it to a person."""
        for left in outbox.kept():
            if not self._options.idempotent:
                outbox.drop(left)
                continue
            try:
                self._deliver(outbox, left)
            except UnknownOutcome as error:
                raise _later(error) from error
            except PermanentError:
                outbox.drop(left)  # its records come again by themselves

    def _sent(self, outbox: Outbox, records: Sequence[Outbound]) -> Receipt:
        made = letter(records, self._options, self._setting)
        if len(made.content) > self._connection.largest:
            error = PermanentError("NAVE-K335", size=len(made.content), limit=self._connection.largest)
            return Receipt(Outcome.REJECTED, error=error)
        outbox.keep(made)
        self._step("kept")
        try:
            answer = self._deliver(outbox, made)
        except UnknownOutcome as error:
            if self._options.idempotent:
                raise _later(error) from error
            outbox.drop(made)
            return Receipt(Outcome.UNKNOWN, error=error)
        except PermanentError as error:
            outbox.drop(made)
            return Receipt(Outcome.REJECTED, error=error)
        except (ConfigError, RetryableError):
            outbox.drop(made)  # it surely is not out
            raise
        return Receipt(Outcome.ACCEPTED, raw=f"{answer} {made.id}")

    def _deliver(self, outbox: Outbox, made: Letter) -> str:
        with translating(self._url), open_post(self._connection, self._setting.folder) as smtp:
            answer = hand_in(smtp, self._url, self._options, made.id, made.content)
            self._step("handed in")
        outbox.sent(made)
        self._step("noted")
        return answer


def _later(error: UnknownOutcome) -> RetryableError:
    params: dict[str, Any] = dict(error.params)
    return RetryableError(error.code, **params)
