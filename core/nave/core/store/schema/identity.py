"""What each system says of each record, and what makes records the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from nave.core.store.schema.base import Serial, metadata

source_record = Table(
    "source_record",
    metadata,
    Column("entity", String, primary_key=True),
    Column("system", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("record_id", BigInteger, nullable=False),
    Column("version", String, nullable=False, comment="the source's own, as text that sorts"),
    Column("changed_at", Float, nullable=False),
    Column("arrival", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("doc", Text, nullable=False),
    Column("opinion", Text, comment="of what it says, what is its own and no echo of ours; null where all of it is"),
    Column("journal_id", BigInteger, nullable=False),
    Column("place", Integer, nullable=False, comment="its number in what it came in: line, element, row, event"),
    Column("raw_hash", LargeBinary, comment="of the raw record, under the mapping that made doc of it"),
)
Index("source_record_of", source_record.c.record_id)

identity_key = Table(
    "identity_key",
    metadata,
    Column("entity", String, primary_key=True),
    Column("rule", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("system", String, primary_key=True, comment="with key: the source record that says so"),
    Column("key", String, primary_key=True),
    Column("sketch", LargeBinary, comment="of a blocking key: enough of the record to rule out most that share it"),
    sqlite_with_rowid=False,
)

crowded = Table(
    "crowded",
    metadata,
    Column("entity", String, primary_key=True),
    Column("rule", String, primary_key=True),
    Column("value", String, primary_key=True, comment="so many records share it that it identifies nothing"),
    Column("since", Float, nullable=False),
)

former = Table(
    "former",
    metadata,
    Column("entity", String, primary_key=True),
    Column("system", String, primary_key=True),
    Column("key", String, primary_key=True, comment="of a record that its system has no more"),
    Column("record_id", BigInteger, nullable=False, comment="the golden record it belonged to"),
    Column("at", Float, nullable=False),
)
Index("former_of", former.c.record_id)

match_pair = Table(
    "match_pair",
    metadata,
    Column("entity", String, primary_key=True),
    Column("system_a", String, primary_key=True),
    Column("key_a", String, primary_key=True),
    Column("system_b", String, primary_key=True),
    Column("key_b", String, primary_key=True),
    Column("score", Float, nullable=False, comment="probability that both are the same thing; the lesser name stands first"),
)
Index("match_pair_back", match_pair.c.entity, match_pair.c.system_b, match_pair.c.key_b)

match_form = Table(
    "match_form",
    metadata,
    Column("entity", String, primary_key=True),
    Column("system", String, primary_key=True, comment="with key: the source record that this is made of"),
    Column("key", String, primary_key=True),
    Column("form", LargeBinary, nullable=False, comment="what comparing needs of it, after the mark of the model"),
    sqlite_with_rowid=False,
)

decision = Table(
    "decision",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("entity", String, nullable=False),
    Column("verdict", String, nullable=False, comment="same or apart: wins over every rule"),
    Column("system_a", String, nullable=False),
    Column("key_a", String, nullable=False),
    Column("system_b", String, nullable=False),
    Column("key_b", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("undone_by", String),
    Column("undone_at", Float),
)
Index("decision_of", decision.c.entity, decision.c.system_a, decision.c.key_a)
Index("decision_back", decision.c.entity, decision.c.system_b, decision.c.key_b)
