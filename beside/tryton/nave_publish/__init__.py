# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of Tryton: what changes is published to the hub beside it, in the transaction that changes it."""

from .gathering import opened

# Before the first transaction, while the server starts: on SQLite a hub cannot be opened inside one that writes.
opened()
