"""What the processes of a hub keep for one another."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, String, Table, Text

from nave.core.store.schema.base import metadata

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

rule = Table(
    "rule",
    metadata,
    Column("name", String, primary_key=True, comment="entity:customer, or sink:crm.customers"),
    Column("hash", String, nullable=False),
    Column("text", Text, nullable=False, comment="JSON: the rules that what is in the store was made by"),
    Column("at", Float, nullable=False),
    Column("applying", Text, comment="JSON: how far a change of them has come"),
)
