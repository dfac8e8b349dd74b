"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("place", sa.BigInteger(), comment="its number in the chain, from 1 without gaps; null until it is sealed"),
        sa.Column("hash", sa.LargeBinary(), comment="of the entry and of the hash before it"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_chain", "audit", ["place"], unique=True)
    op.create_index(
        "audit_open",
        "audit",
        ["id"],
        sqlite_where=sa.text("place IS NULL"),
        postgresql_where=sa.text("place IS NULL"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "epcis_capture",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("behaviour", sa.String(), nullable=False, comment="rollback or proceed"),
        sa.Column("captured", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False, comment="events that were here already"),
        sa.Column("journals", sa.Text(), nullable=False, comment="JSON: the batches that its events became"),
        sa.Column("errors", sa.Text(), nullable=False, comment="JSON: [number of the event, what is wrong]"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("epcis_capture_of", "epcis_capture", ["system", "id"])
    op.create_table(
        "epcis_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("time", sa.Float(), nullable=False, comment="when it happened, seconds since 1970"),
        sa.Column("recorded", sa.Float(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False, comment="JSON"),
        sa.Column(
            "place",
            sa.BigInteger(),
            nullable=False,
            comment="rises with each commit of its system: subscriptions go along it",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("epcis_event_known", "epcis_event", ["system", "event_id"], unique=True)
    op.create_index("epcis_event_time", "epcis_event", ["system", "time"])
    op.create_index("epcis_event_place", "epcis_event", ["system", "place"])
    op.create_table(
        "epcis_epc",
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("epc", sa.String(), nullable=False, comment="as a canonical link, where it has one"),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", "epc", "event"),
        sqlite_with_rowid=False,
    )
    op.create_index("epcis_epc_of", "epcis_epc", ["event"])
    op.create_table(
        "epcis_query",
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False, comment="JSON, as its system gave it"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("system", "name"),
    )
    op.create_table(
        "epcis_subscription",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False, comment="the name of what it subscribes to"),
        sa.Column("dest", sa.String(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False, comment="JSON: when to tell, and from when on"),
        sa.Column("secret", sa.String(), comment="what to sign with, encrypted by a key of hub.yaml"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column(
            "reached",
            sa.BigInteger(),
            nullable=False,
            comment="place of the last event that was told or passed over",
        ),
        sa.Column("until", sa.BigInteger(), comment="of a round by the clock: place of the last event that it covers"),
        sa.Column("round_at", sa.Float(), comment="when that round began"),
        sa.Column(
            "report", sa.Integer(), server_default="0", nullable=False, comment="number of the last report that was begun"
        ),
        sa.Column("last", sa.BigInteger(), comment="place of the last event of the report under way; null where none is"),
        sa.Column("begun_at", sa.Float()),
        sa.Column("most", sa.Integer(), nullable=False, comment="events in one report, at most"),
        sa.Column("look_at", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), comment="JSON: code and parameters of the last failure"),
        sa.Column("told_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("epcis_subscription_of", "epcis_subscription", ["system", "query"])
    compatible = op.create_table(
        "compatible",
        sa.Column("revision", sa.String(), nullable=False, comment="code of this revision may work on these tables"),
        sa.PrimaryKeyConstraint("revision"),
    )
    op.bulk_insert(compatible, [{"revision": revision}])
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(), nullable=False, comment="read, apply or deliver"),
        sa.Column("flow", sa.String(), nullable=False, comment="the source or sink"),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("journal_id", sa.BigInteger(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("offset", sa.BigInteger(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=True),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False, comment="a traceback where the fault is the hub's own"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("settled_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("dead_letter_batch", "dead_letter", ["journal_id"], unique=False)
    op.create_index("dead_letter_flow", "dead_letter", ["flow", "state"], unique=False)
    op.create_index(
        "dead_letter_open",
        "dead_letter",
        ["entity"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.create_table(
        "delivery",
        sa.Column("sink", sa.String(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_version", sa.Integer(), nullable=False),
        sa.Column("acked_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease", sa.String(), nullable=True, comment="who holds it; a stale holder's marks do not count"),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column(
            "waits_for",
            sa.BigInteger(),
            nullable=True,
            comment="the golden record whose key in the sink's system must come first",
        ),
        sa.Column(
            "waits_version", sa.Integer(), nullable=True, comment="with waits_for: its version, which had no such key"
        ),
        sa.Column(
            "sent_version", sa.Integer(), nullable=True, comment="the one sent last to a target that must not get it twice"
        ),
        sa.Column("remote_key", sa.String(), nullable=True),
        sa.Column(
            "present",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="1 while the target has the record, 2 while it may",
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "answer", sa.Text(), nullable=True, comment="JSON: what the target said last, where it said more than yes"
        ),
        sa.Column(
            "letter",
            sa.BigInteger(),
            nullable=True,
            comment="the dead letter that tells how it stands; one before it says nothing of that",
        ),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("sink", "record_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "delivery_remote",
        "delivery",
        ["sink", "remote_key"],
        unique=False,
        sqlite_where=sa.text("remote_key IS NOT NULL"),
        postgresql_where=sa.text("remote_key IS NOT NULL"),
    )
    op.create_index(
        "delivery_create",
        "delivery",
        ["sink", "record_id"],
        unique=False,
        sqlite_where=sa.text("acked_version = 0 AND remote_key IS NULL AND (state IN (1, 6) OR present <> 0)"),
        postgresql_where=sa.text("acked_version = 0 AND remote_key IS NULL AND (state IN (1, 6) OR present <> 0)"),
    )
    op.create_index(
        "delivery_open",
        "delivery",
        ["record_id"],
        unique=False,
        sqlite_where=sa.text("state IN (1, 2)"),
        postgresql_where=sa.text("state IN (1, 2)"),
    )
    op.create_index(
        "delivery_ready",
        "delivery",
        ["sink", "next_at"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.create_table(
        "identity_key",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False, comment="with key: the source record that says so"),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column(
            "sketch",
            sa.LargeBinary(),
            nullable=True,
            comment="of a blocking key: enough of the record to rule out most that share it",
        ),
        sa.PrimaryKeyConstraint("entity", "rule", "value", "system", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crowded",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False, comment="so many records share it that it identifies nothing"),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "rule", "value"),
    )
    op.create_table(
        "former",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False, comment="of a record that its system has no more"),
        sa.Column("record_id", sa.BigInteger(), nullable=False, comment="the golden record it belonged to"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "system", "key"),
    )
    op.create_index("former_of", "former", ["record_id"], unique=False)
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column(
            "arrival", sa.BigInteger(), nullable=True, comment="a replay keeps the place in time of the batch it repeats"
        ),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("trace", sa.String(), nullable=False),
        sa.Column("landed_at", sa.Float(), nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("received", sa.Integer(), nullable=False, comment="records, unreadable ones among them; 0 for a replay"),
        sa.Column("applied", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("superseded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("dead", sa.Integer(), server_default="0", nullable=False),
        sa.Column("mapping", sa.String(), nullable=True, comment="hash of the mapping that applied it"),
        sa.Column("applied_at", sa.Float(), nullable=True),
        sa.Column(
            "hold",
            sa.BigInteger(),
            nullable=True,
            comment="what a brake holds it under, for a person to release or discard",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "journal_pending",
        "journal",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.create_index(
        "journal_held",
        "journal",
        ["hold", "id"],
        unique=False,
        sqlite_where=sa.text("state = 2"),
        postgresql_where=sa.text("state = 2"),
    )
    op.create_index("journal_source", "journal", ["source", "id"], unique=False)
    op.create_table(
        "journal_body",
        sa.Column("journal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="records and places, JSON, deflated"),
        sa.PrimaryKeyConstraint("journal_id"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), server_default="-", nullable=False),
        sa.Column("token", sa.BigInteger(), server_default="0", nullable=False, comment="rises with every new holder"),
        sa.Column(
            "until", sa.Float(), server_default="0", nullable=False, comment="by the store's own clock, where it has one"
        ),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "record",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False, comment="apply, merge, gone, or what a person did"),
        sa.Column("journal_id", sa.BigInteger(), nullable=False, comment="the batch that caused this version"),
        sa.Column(
            "merged_into",
            sa.BigInteger(),
            nullable=True,
            comment="the one it is part of now; 0 where no system has it any more",
        ),
        sa.Column(
            "anchor_system",
            sa.String(),
            nullable=True,
            comment="with anchor_key: the source record that its id was given to",
        ),
        sa.Column("anchor_key", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "record_merged",
        "record",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_table(
        "record_version",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "version"),
    )
    op.create_table(
        "reference",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False, comment="what kind of link it is: order.lines[].product"),
        sa.Column("waiting", sa.SmallInteger(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "path"),
    )
    op.create_index(
        "reference_bill",
        "reference",
        ["since"],
        unique=False,
        sqlite_where=sa.text("link = 'bom.product'"),
        postgresql_where=sa.text("link = 'bom.product'"),
    )
    op.create_index(
        "reference_promised",
        "reference",
        ["entity", "system", "key"],
        unique=False,
        sqlite_where=sa.text("waiting = 2"),
        postgresql_where=sa.text("waiting = 2"),
    )
    op.create_index("reference_to", "reference", ["entity", "system", "key", "link", "record_id"], unique=False)
    op.create_index(
        "reference_waiting",
        "reference",
        ["entity", "system", "key"],
        unique=False,
        sqlite_where=sa.text("waiting = 1"),
        postgresql_where=sa.text("waiting = 1"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("batches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("records", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("run_source", "run", ["source", "id"], unique=False)
    op.create_table(
        "stopped",
        sa.Column("flow", sa.String(), nullable=False, comment="a source or sink whose login was refused"),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False, comment="when one process may try once more"),
        sa.Column("mark", sa.String(), nullable=False, comment="of the configuration that was refused"),
        sa.PrimaryKeyConstraint("flow"),
    )
    op.create_table(
        "taken",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="of its receipt",
        ),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False, comment="of the file"),
        sa.Column("origin", sa.Text(), nullable=False, comment="of its batches; JSON"),
        sa.Column(
            "first", sa.BigInteger(), nullable=True, comment="its first batch in the journal; null where it held nothing"
        ),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True, comment="in a sequence that may have no gaps"),
        sa.Column("wrote", sa.Text(), nullable=True, comment="JSON: hashes of what was written back of it"),
        sa.Column(
            "look_at",
            sa.Float(),
            nullable=True,
            comment="when to look again what is to be written back; null when nothing is left to be",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("taken_name", "taken", ["name", "id"], unique=False)
    op.create_index("taken_source", "taken", ["source", "id"], unique=False)
    op.create_index(
        "taken_open",
        "taken",
        ["look_at"],
        unique=False,
        sqlite_where=sa.text("look_at IS NOT NULL"),
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.create_table(
        "schedule",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False, comment="of the last pass that ended well, whoever made it"),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "source_record",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(), nullable=False, comment="the source's own, as text that sorts"),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column(
            "opinion",
            sa.Text(),
            nullable=True,
            comment="of what it says, what is its own and no echo of ours; null where all of it is",
        ),
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="its number in what it came in: line, element, row, event"),
        sa.Column(
            "raw_hash", sa.LargeBinary(), nullable=True, comment="of the raw record, under the mapping that made doc of it"
        ),
        sa.PrimaryKeyConstraint("entity", "system", "key"),
    )
    op.create_index("source_record_of", "source_record", ["record_id"], unique=False)
    op.create_table(
        "match_pair",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("system_a", sa.String(), nullable=False),
        sa.Column("key_a", sa.String(), nullable=False),
        sa.Column("system_b", sa.String(), nullable=False),
        sa.Column("key_b", sa.String(), nullable=False),
        sa.Column(
            "score",
            sa.Float(),
            nullable=False,
            comment="probability that both are the same thing; the lesser name stands first",
        ),
        sa.PrimaryKeyConstraint("entity", "system_a", "key_a", "system_b", "key_b"),
    )
    op.create_index("match_pair_back", "match_pair", ["entity", "system_b", "key_b"], unique=False)
    op.create_table(
        "match_form",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False, comment="with key: the source record that this is made of"),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column(
            "form", sa.LargeBinary(), nullable=False, comment="what comparing needs of it, after the mark of the model"
        ),
        sa.PrimaryKeyConstraint("entity", "system", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False, comment="same or apart: wins over every rule"),
        sa.Column("system_a", sa.String(), nullable=False),
        sa.Column("key_a", sa.String(), nullable=False),
        sa.Column("system_b", sa.String(), nullable=False),
        sa.Column("key_b", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.Column("undone_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("decision_back", "decision", ["entity", "system_b", "key_b"], unique=False)
    op.create_index("decision_of", "decision", ["entity", "system_a", "key_a"], unique=False)
    op.create_table(
        "pin",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column(
            "system", sa.String(), nullable=False, comment="with key: the source record whose golden record it is about"
        ),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.Column("undone_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("pin_of", "pin", ["entity", "system", "key"], unique=False)
    op.create_table(
        "finding",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("flow", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("settled_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("finding_of", "finding", ["flow", "code", "record_id", "field"], unique=False)
    op.create_table(
        "kept_back",
        sa.Column(
            "action",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the audit entry of what touched it",
        ),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False, comment="ISO date inside a closed period"),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("action", "record_id"),
    )
    op.create_table(
        "answered",
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False, comment="Idempotency-Key of a request that was answered"),
        sa.Column("asked", sa.LargeBinary(), nullable=False, comment="hash of what was asked"),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key"),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False, comment="JSON: what it would do, beside what the brakes allow"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("settled_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("hold_source", "hold", ["source", "state"], unique=False)
    op.create_table(
        "named",
        sa.Column("hold", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "key",
            sa.String(),
            nullable=False,
            comment="what a pass that says all there is has named; gone once it is weighed",
        ),
        sa.PrimaryKeyConstraint("hold", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gone",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column(
            "version",
            sa.String(),
            nullable=True,
            comment="the deletion's own; null where the key was just not named any more",
        ),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "system", "key"),
    )
    op.create_table(
        "belonging",
        sa.Column("part", sa.String(), nullable=False, comment="a part of a source, as erp.orders.buyer"),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("whole", sa.String(), nullable=False, comment="key of a record of the source that said it"),
        sa.PrimaryKeyConstraint("part", "key", "whole"),
        sqlite_with_rowid=False,
    )
    op.create_index("belonging_whole", "belonging", ["part", "whole"])
    op.create_table(
        "rule",
        sa.Column("name", sa.String(), nullable=False, comment="entity:customer, or sink:crm.customers"),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="JSON: the rules that what is in the store was made by"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("applying", sa.Text(), nullable=True, comment="JSON: how far a change of them has come"),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("match_form")
    op.drop_index("belonging_whole", table_name="belonging")
    op.drop_table("belonging")
    for table in ("rule", "gone", "named", "hold", "answered", "kept_back", "finding", "pin", "decision", "match_pair"):
        op.drop_table(table)
    op.drop_index("source_record_of", table_name="source_record")
    op.drop_table("source_record")
    op.drop_table("schedule")
    op.drop_index(
        "taken_open",
        table_name="taken",
        sqlite_where=sa.text("look_at IS NOT NULL"),
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.drop_index("taken_source", table_name="taken")
    op.drop_index("taken_name", table_name="taken")
    op.drop_table("taken")
    op.drop_index("run_source", table_name="run")
    op.drop_table("run")
    op.drop_index(
        "reference_waiting",
        table_name="reference",
        sqlite_where=sa.text("waiting = 1"),
        postgresql_where=sa.text("waiting = 1"),
    )
    op.drop_index("reference_to", table_name="reference")
    op.drop_index(
        "reference_promised",
        table_name="reference",
        sqlite_where=sa.text("waiting = 2"),
        postgresql_where=sa.text("waiting = 2"),
    )
    op.drop_index(
        "reference_bill",
        table_name="reference",
        sqlite_where=sa.text("link = 'bom.product'"),
        postgresql_where=sa.text("link = 'bom.product'"),
    )
    op.drop_table("reference")
    op.drop_table("record_version")
    op.drop_index(
        "record_merged",
        table_name="record",
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.drop_table("record")
    op.drop_table("lease")
    op.drop_table("journal_body")
    op.drop_index("journal_source", table_name="journal")
    op.drop_index(
        "journal_held", table_name="journal", sqlite_where=sa.text("state = 2"), postgresql_where=sa.text("state = 2")
    )
    op.drop_index(
        "journal_pending", table_name="journal", sqlite_where=sa.text("state = 0"), postgresql_where=sa.text("state = 0")
    )
    op.drop_table("journal")
    op.drop_table("identity_key")
    op.drop_table("former")
    op.drop_table("crowded")
    op.drop_index(
        "delivery_ready", table_name="delivery", sqlite_where=sa.text("state = 0"), postgresql_where=sa.text("state = 0")
    )
    op.drop_index(
        "delivery_remote",
        table_name="delivery",
        sqlite_where=sa.text("remote_key IS NOT NULL"),
        postgresql_where=sa.text("remote_key IS NOT NULL"),
    )
    op.drop_index(
        "delivery_create",
        table_name="delivery",
        sqlite_where=sa.text("acked_version = 0 AND remote_key IS NULL AND (state IN (1, 6) OR present <> 0)"),
        postgresql_where=sa.text("acked_version = 0 AND remote_key IS NULL AND (state IN (1, 6) OR present <> 0)"),
    )
    op.drop_index(
        "delivery_open",
        table_name="delivery",
        sqlite_where=sa.text("state IN (1, 2)"),
        postgresql_where=sa.text("state IN (1, 2)"),
    )
    op.drop_table("delivery")
    op.drop_index(
        "dead_letter_open",
        table_name="dead_letter",
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.drop_index("dead_letter_flow", table_name="dead_letter")
    op.drop_index("dead_letter_batch", table_name="dead_letter")
    op.drop_table("dead_letter")
    op.drop_table("compatible")
    op.drop_index("epcis_subscription_of", table_name="epcis_subscription")
    op.drop_table("epcis_subscription")
    op.drop_table("epcis_query")
    op.drop_index("epcis_epc_of", table_name="epcis_epc")
    op.drop_table("epcis_epc")
    op.drop_index("epcis_event_place", table_name="epcis_event")
    op.drop_index("epcis_event_time", table_name="epcis_event")
    op.drop_index("epcis_event_known", table_name="epcis_event")
    op.drop_table("epcis_event")
    op.drop_index("epcis_capture_of", table_name="epcis_capture")
    op.drop_table("epcis_capture")
    op.drop_table("checkpoint")
    op.drop_table("audit")
