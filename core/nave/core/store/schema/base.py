"""What all tables share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()

Serial = BigInteger().with_variant(Integer, "sqlite")
"""An id of ours: 64 bits everywhere, and still SQLite's own row id."""
