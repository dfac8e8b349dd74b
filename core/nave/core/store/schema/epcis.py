"""What the EPCIS door keeps for those who ask and subscribe."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from nave.core.store.schema.base import Serial, metadata

# The repository behind the EPCIS door: it outlives what the journal keeps, and knows a repeat by its event's id.
epcis_capture = Table(
    "epcis_capture",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("system", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("behaviour", String, nullable=False, comment="rollback or proceed"),
    Column("captured", Integer, nullable=False),
    Column("repeated", Integer, nullable=False, comment="events that were here already"),
    Column("journals", Text, nullable=False, comment="JSON: the batches that its events became"),
    Column("errors", Text, nullable=False, comment="JSON: [number of the event, what is wrong]"),
)
Index("epcis_capture_of", epcis_capture.c.system, epcis_capture.c.id)

epcis_event = Table(
    "epcis_event",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("system", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("time", Float, nullable=False, comment="when it happened, seconds since 1970"),
    Column("recorded", Float, nullable=False),
    Column("doc", Text, nullable=False, comment="JSON"),
    Column("place", BigInteger, nullable=False, comment="rises with each commit of its system: subscriptions go along it"),
)
Index("epcis_event_known", epcis_event.c.system, epcis_event.c.event_id, unique=True)
Index("epcis_event_time", epcis_event.c.system, epcis_event.c.time)
Index("epcis_event_place", epcis_event.c.system, epcis_event.c.place)

epcis_epc = Table(
    "epcis_epc",
    metadata,
    Column("system", String, primary_key=True),
    Column("epc", String, primary_key=True, comment="as a canonical link, where it has one"),
    Column("event", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)
Index("epcis_epc_of", epcis_epc.c.event)

epcis_query = Table(
    "epcis_query",
    metadata,
    Column("system", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("query", Text, nullable=False, comment="JSON, as its system gave it"),
    Column("at", Float, nullable=False),
)

# What is about to be told is noted first, so that after a crash the same is told once more under the same number.
epcis_subscription = Table(
    "epcis_subscription",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("system", String, nullable=False),
    Column("query", String, nullable=False, comment="the name of what it subscribes to"),
    Column("dest", String, nullable=False),
    Column("terms", Text, nullable=False, comment="JSON: when to tell, and from when on"),
    Column("secret", String, comment="what to sign with, encrypted by a key of hub.yaml"),
    Column("at", Float, nullable=False),
    Column("reached", BigInteger, nullable=False, comment="place of the last event that was told or passed over"),
    Column("until", BigInteger, comment="of a round by the clock: place of the last event that it covers"),
    Column("round_at", Float, comment="when that round began"),
    Column("report", Integer, nullable=False, server_default="0", comment="number of the last report that was begun"),
    Column("last", BigInteger, comment="place of the last event of the report under way; null where none is"),
    Column("begun_at", Float),
    Column("most", Integer, nullable=False, comment="events in one report, at most"),
    Column("look_at", Float, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text, comment="JSON: code and parameters of the last failure"),
    Column("told_at", Float),
)
Index("epcis_subscription_of", epcis_subscription.c.system, epcis_subscription.c.query)
