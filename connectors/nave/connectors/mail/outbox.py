"""What a sink has sent: which version of which record, and the mail of which nobody knows yet whether it arrived.

A mail is kept before it goes out. A crash, or an answer that is lost, leaves it there: the next batch first sends
the same bytes again, with the same Message-ID, and no record goes out in a second mail besides.
"""

from __future__ import annotations

import json
from pathlib import Path

from nave.connectors.mail.letter import Letter
from nave.connectors.sent import Sent

_SCHEMA = (
    "create table if not exists kept (id text primary key, content blob not null, records text not null) without rowid;"
)


class Outbox(Sent):
    """One SQLite file per sink, in the hub's folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def keep(self, letter: Letter) -> None:
        """Before it goes out."""
        row = (letter.id, letter.content, json.dumps(letter.records))
        self._database.execute("insert or replace into kept values (?, ?, ?)", row)

    def kept(self) -> list[Letter]:
        """Mails that may be out or not."""
        rows = self._database.execute("select id, content, records from kept").fetchall()
        return [Letter(name, content, _pairs(text)) for name, content, text in rows]

    def drop(self, letter: Letter) -> None:
        """It did not go out, or a person decides about its records."""
        self._database.execute("delete from kept where id = ?", (letter.id,))

    def sent(self, letter: Letter) -> None:
        """It is out: its records are, too."""
        with self._sending(letter.records) as cursor:
            cursor.execute("delete from kept where id = ?", (letter.id,))


def _pairs(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((key, version) for key, version in json.loads(text))
