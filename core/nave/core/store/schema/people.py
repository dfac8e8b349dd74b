"""What waits for people, and what they did."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, SmallInteger, String, Table, Text, text

from nave.core.store.schema.base import Serial, metadata

finding = Table(
    "finding",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("code", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("record_id", BigInteger),
    Column("flow", String, nullable=False),
    Column("field", String, nullable=False),
    Column("params", Text, nullable=False),
    Column("first_at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("times", Integer, nullable=False, server_default="1"),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("settled_by", String),
    Column("settled_at", Float),
)
Index("finding_of", finding.c.flow, finding.c.code, finding.c.record_id, finding.c.field)

kept_back = Table(
    "kept_back",
    metadata,
    Column("action", BigInteger, primary_key=True, autoincrement=False, comment="the audit entry of what touched it"),
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("entity", String, nullable=False),
    Column("day", String, nullable=False, comment="ISO date inside a closed period"),
    Column("approved_by", String),
    Column("approved_at", Float),
)

answered = Table(
    "answered",
    metadata,
    Column("actor", String, primary_key=True),
    Column("key", String, primary_key=True, comment="Idempotency-Key of a request that was answered"),
    Column("asked", LargeBinary, nullable=False, comment="hash of what was asked"),
    Column("answer", Text, nullable=False),
    Column("at", Float, nullable=False),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("stage", String, nullable=False, comment="read, apply or deliver"),
    Column("flow", String, nullable=False, comment="the source or sink"),
    Column("entity", String, nullable=False),
    Column("key", String, nullable=False),
    Column("record_id", BigInteger),
    Column("journal_id", BigInteger),
    Column("origin", Text, nullable=False),
    Column("place", Integer),
    Column("offset", BigInteger),
    Column("raw", Text, nullable=False),
    Column("code", String, nullable=False),
    Column("field", String),
    Column("params", Text, nullable=False),
    Column("detail", Text, nullable=False, comment="a traceback where the fault is the hub's own"),
    Column("at", Float, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("settled_by", String),
    Column("settled_at", Float),
)
Index("dead_letter_flow", dead_letter.c.flow, dead_letter.c.state)
Index("dead_letter_batch", dead_letter.c.journal_id)
Index("dead_letter_open", dead_letter.c.entity, sqlite_where=text("state = 0"), postgresql_where=text("state = 0"))

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("place", BigInteger, comment="its number in the chain, from 1 without gaps; null until it is sealed"),
    Column("hash", LargeBinary, comment="of the entry and of the hash before it"),
)
Index("audit_chain", audit.c.place, unique=True)
Index("audit_open", audit.c.id, sqlite_where=text("place IS NULL"), postgresql_where=text("place IS NULL"))
