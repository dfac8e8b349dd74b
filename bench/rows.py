"""Columns that benches fill straight into the tables, as applying would have left them."""

from __future__ import annotations

RECORD = ("id", "entity", "version", "hash", "doc", "changed_at", "cause", "journal_id")
SOURCE = (
    "entity",
    "system",
    "key",
    "source",
    "record_id",
    "version",
    "changed_at",
    "arrival",
    "hash",
    "doc",
    "journal_id",
    "place",
)
