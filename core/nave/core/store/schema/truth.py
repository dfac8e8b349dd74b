"""What is true: golden records, their former versions and links, and what each target has of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, SmallInteger, String, Table, Text, text

from nave.core.store.schema.base import Serial, metadata

record = Table(
    "record",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("entity", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("doc", Text, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("cause", String, nullable=False, comment="apply, merge, gone, or what a person did"),
    Column("journal_id", BigInteger, nullable=False, comment="the batch that caused this version"),
    Column("merged_into", BigInteger, comment="the one it is part of now; 0 where no system has it any more"),
    Column("anchor_system", String, comment="with anchor_key: the source record that its id was given to"),
    Column("anchor_key", String),
)
Index(
    "record_merged",
    record.c.merged_into,
    sqlite_where=text("merged_into IS NOT NULL"),
    postgresql_where=text("merged_into IS NOT NULL"),
)

record_version = Table(
    "record_version",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("doc", Text, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("cause", String, nullable=False),
    Column("journal_id", BigInteger, nullable=False),
)

reference = Table(
    "reference",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("path", String, primary_key=True),
    Column("entity", String, nullable=False),
    Column("system", String, nullable=False),
    Column("key", String, nullable=False),
    Column("link", String, nullable=False, comment="what kind of link it is: order.lines[].product"),
    Column("waiting", SmallInteger, nullable=False),
    Column("since", Float, nullable=False),
)
Index("reference_to", reference.c.entity, reference.c.system, reference.c.key, reference.c.link, reference.c.record_id)
Index(
    "reference_waiting",
    reference.c.entity,
    reference.c.system,
    reference.c.key,
    sqlite_where=text("waiting = 1"),
    postgresql_where=text("waiting = 1"),
)
Index(
    "reference_promised",
    reference.c.entity,
    reference.c.system,
    reference.c.key,
    sqlite_where=text("waiting = 2"),
    postgresql_where=text("waiting = 2"),
)
Index(
    "reference_bill",
    reference.c.since,
    sqlite_where=text("link = 'bom.product'"),
    postgresql_where=text("link = 'bom.product'"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("sink", String, primary_key=True),
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("due_version", Integer, nullable=False),
    Column("acked_version", Integer, nullable=False, server_default="0"),
    Column("state", SmallInteger, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease", String, comment="who holds it; a stale holder's marks do not count"),
    Column("lease_until", Float),
    Column("waits_for", BigInteger, comment="the golden record whose key in the sink's system must come first"),
    Column("waits_version", Integer, comment="with waits_for: its version, which had no such key"),
    Column("sent_version", Integer, comment="the one sent last to a target that must not get it twice"),
    Column("remote_key", String),
    Column(
        "present",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="1 while the target has the record, 2 while it may",
    ),
    Column("error", Text),
    Column("answer", Text, comment="JSON: what the target said last, where it said more than yes"),
    Column("letter", BigInteger, comment="the dead letter that tells how it stands; one before it says nothing of that"),
    Column("changed_at", Float, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "delivery_ready",
    delivery.c.sink,
    delivery.c.next_at,
    sqlite_where=text("state = 0"),
    postgresql_where=text("state = 0"),
)
Index(
    "delivery_remote",
    delivery.c.sink,
    delivery.c.remote_key,
    sqlite_where=text("remote_key IS NOT NULL"),
    postgresql_where=text("remote_key IS NOT NULL"),
)
Index(
    "delivery_open",
    delivery.c.record_id,
    sqlite_where=text("state IN (1, 2)"),
    postgresql_where=text("state IN (1, 2)"),
)
UNSETTLED_CREATE = "acked_version = 0 AND remote_key IS NULL AND (state IN (1, 6) OR present <> 0)"
"""A target may have made a record of this, and has not said so."""
Index(
    "delivery_create",
    delivery.c.sink,
    delivery.c.record_id,
    sqlite_where=text(UNSETTLED_CREATE),
    postgresql_where=text(UNSETTLED_CREATE),
)

pin = Table(
    "pin",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("entity", String, nullable=False),
    Column("system", String, nullable=False, comment="with key: the source record whose golden record it is about"),
    Column("key", String, nullable=False),
    Column("field", String, nullable=False),
    Column("value", Text, nullable=False, comment="JSON"),
    Column("actor", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("until", Float),
    Column("undone_by", String),
    Column("undone_at", Float),
)
Index("pin_of", pin.c.entity, pin.c.system, pin.c.key)
