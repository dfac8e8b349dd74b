"""The tables of the store. Times are seconds since 1970 in UTC; documents are JSON text that a person can read."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

_Serial = BigInteger().with_variant(Integer, "sqlite")


class Journal(IntEnum):
    """Where a landed batch is."""

    PENDING = 0
    DONE = 1
    HELD = 2
    DISCARDED = 3


class Due(IntEnum):
    """Where the delivery of one record to one sink is."""

    READY = 0
    LEASED = 1
    WAITING = 2
    DELIVERED = 3
    DEAD = 4
    SKIPPED = 5
    UNKNOWN = 6
    DISCARDED = 7


class Open(IntEnum):
    """Whether the other side of a link is there."""

    THERE = 0
    WAITING = 1
    """It is not, and its record waits for it."""
    PROMISED = 2
    """It is not, and its record went out with a placeholder."""


GONE = 0
"""What a golden record is merged into when no system has it any more."""


class Hold(IntEnum):
    """Where something that a brake holds is."""

    HELD = 0
    RELEASED = 1
    DISCARDED = 2
    GATHERING = 3
    """Its pass is being read, or was cut off and will be."""
    COMPLETE = 4
    """All of it is landed, and nobody has weighed it yet."""
    PASSED = 5
    """Within what the brakes allow."""
    REPLACED = 6
    """Cut off, and read again from the start."""


class Finding(IntEnum):
    """Where something that a person should know is."""

    OPEN = 0
    SETTLED = 1


class Reading(IntEnum):
    """How far an input, a file, has been read."""

    READING = 0
    WHOLE = 1
    TORN = 2
    """Something of it could not be read."""


class Letter(IntEnum):
    """Where a dead letter is."""

    OPEN = 0
    REPLAYED = 1
    DISCARDED = 2
    OVERTAKEN = 3
    """By a newer version of the record, which is delivered in its place."""


journal = Table(
    "journal",
    metadata,
    Column("id", _Serial, primary_key=True),
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
    Column("id", _Serial, primary_key=True, autoincrement=False, comment="of its receipt"),
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

# The repository behind the EPCIS door: it outlives what the journal keeps, and knows a repeat by its event's id.
epcis_capture = Table(
    "epcis_capture",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=False),
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
    Column("id", _Serial, primary_key=True, autoincrement=False),
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
    Column("id", _Serial, primary_key=True, autoincrement=False),
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

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("source", String, primary_key=True),
    Column("position", Text, nullable=False),
    Column("at", Float, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    Column("source", String, primary_key=True),
    Column("began_at", Float, nullable=False, comment="of the last pass that ended well, whoever made it"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False, server_default="-"),
    Column("token", BigInteger, nullable=False, server_default="0", comment="rises with every new holder"),
    Column("until", Float, nullable=False, server_default="0", comment="by the store's own clock, where it has one"),
)

compatible = Table(
    "compatible",
    metadata,
    Column("revision", String, primary_key=True, comment="code of this revision may work on these tables"),
)

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
    Column("id", _Serial, primary_key=True, autoincrement=False),
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

pin = Table(
    "pin",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=False),
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

finding = Table(
    "finding",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=False),
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

hold = Table(
    "hold",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=False),
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

rule = Table(
    "rule",
    metadata,
    Column("name", String, primary_key=True, comment="entity:customer, or sink:crm.customers"),
    Column("hash", String, nullable=False),
    Column("text", Text, nullable=False, comment="JSON: the rules that what is in the store was made by"),
    Column("at", Float, nullable=False),
    Column("applying", Text, comment="JSON: how far a change of them has come"),
)

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
