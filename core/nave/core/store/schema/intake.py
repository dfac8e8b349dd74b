"""What came in, and how far each source has been read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, SmallInteger, String, Table, Text, text

from nave.core.store.schema.base import Serial, metadata

journal = Table(
    "journal",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("source", String, nullable=False),
    Column("arrival", BigInteger, comment="a replay keeps the place in time of the batch it repeats"),
    Column("origin", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("trace", String, nullable=False),
    Column("landed_at", Float, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("received", Integer, nullable=False, comment="records, unreadable ones among them; 0 for a replay"),
    Column("applied", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("superseded", Integer, nullable=False, server_default="0"),
    Column("dead", Integer, nullable=False, server_default="0"),
    Column("mapping", String, comment="hash of the mapping that applied it"),
    Column("applied_at", Float),
    Column("hold", BigInteger, comment="what a brake holds it under, for a person to release or discard"),
)
Index("journal_pending", journal.c.id, sqlite_where=text("state = 0"), postgresql_where=text("state = 0"))
Index("journal_source", journal.c.source, journal.c.id)
Index("journal_held", journal.c.hold, journal.c.id, sqlite_where=text("state = 2"), postgresql_where=text("state = 2"))

# Apart from the rest of its row, so that booking what became of a batch never rewrites it.
journal_body = Table(
    "journal_body",
    metadata,
    Column("journal_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False, comment="records and places, JSON, deflated"),
)

# One row per file, never per record: what became of it is told by the journal, the dead letters and the source records.
taken = Table(
    "taken",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False, comment="of its receipt"),
    Column("source", String, nullable=False),
    Column("name", String, nullable=False, comment="of the file"),
    Column("origin", Text, nullable=False, comment="of its batches; JSON"),
    Column("first", BigInteger, comment="its first batch in the journal; null where it held nothing"),
    Column("last", BigInteger),
    Column("at", Float, nullable=False),
    Column("ended_at", Float),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("number", BigInteger, comment="in a sequence that may have no gaps"),
    Column("wrote", Text, comment="JSON: hashes of what was written back of it"),
    Column("look_at", Float, comment="when to look again what is to be written back; null when nothing is left to be"),
)
Index("taken_source", taken.c.source, taken.c.id)
Index("taken_name", taken.c.name, taken.c.id)
Index("taken_open", taken.c.look_at, sqlite_where=text("look_at IS NOT NULL"), postgresql_where=text("look_at IS NOT NULL"))

stopped = Table(
    "stopped",
    metadata,
    Column("flow", String, primary_key=True, comment="a source or sink whose login was refused"),
    Column("code", String, nullable=False),
    Column("params", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float, nullable=False, comment="when one process may try once more"),
    Column("mark", String, nullable=False, comment="of the configuration that was refused"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("source", String, primary_key=True),
    Column("position", Text, nullable=False),
    Column("at", Float, nullable=False),
)

hold = Table(
    "hold",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("figures", Text, nullable=False, comment="JSON: what it would do, beside what the brakes allow"),
    Column("at", Float, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("settled_by", String),
    Column("settled_at", Float),
    Column("reason", Text),
)
Index("hold_source", hold.c.source, hold.c.state)

named = Table(
    "named",
    metadata,
    Column("hold", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True, comment="what a pass that says all there is has named; gone once it is weighed"),
    sqlite_with_rowid=False,
)

gone = Table(
    "gone",
    metadata,
    Column("entity", String, primary_key=True),
    Column("system", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("version", String, comment="the deletion's own; null where the key was just not named any more"),
    Column("arrival", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Column("at", Float, nullable=False),
)

belonging = Table(
    "belonging",
    metadata,
    Column("part", String, primary_key=True, comment="a part of a source, as erp.orders.buyer"),
    Column("key", String, primary_key=True),
    Column("whole", String, primary_key=True, comment="key of a record of the source that said it"),
    sqlite_with_rowid=False,
)
Index("belonging_whole", belonging.c.part, belonging.c.whole)

run = Table(
    "run",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("batches", Integer, nullable=False, server_default="0"),
    Column("records", Integer, nullable=False, server_default="0"),
    Column("error", Text),
)
Index("run_source", run.c.source, run.c.id)
