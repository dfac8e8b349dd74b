# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers what one transaction changes, and publishes each record once, as it is at the end, before the commit.

In `trytond.conf`:

    [nave]
    hub = /srv/hub          the folder of the hub whose store is in this database; without it nothing is published
    database = production   the database, where the server has several
    work = no               whether the hub works in this process; else `nave run` does
"""

import os
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache

from trytond import config
from trytond.exceptions import UserError
from trytond.pool import Pool
from trytond.transaction import Transaction

from nave.beside import Hub
from nave.core.errors import NaveError

from .shapes import SHAPES, gone, record_of


@cache
def _hub(folder, _process):
    """One for each process: a server that forks opens another behind the fork."""
    hub = Hub.open(folder)
    if config.getboolean("nave", "work", default=False):
        hub.start()
    return hub


def opened():
    """The hub of this process; None where the configuration names none."""
    folder = config.get("nave", "hub", default=None)
    return _hub(folder, os.getpid()) if folder else None


def _wanted(transaction):
    wanted = config.get("nave", "database", default=None)
    return wanted is None or wanted == transaction.database.name


def gather(model, ids):
    """Publish these records when the transaction commits."""
    transaction = Transaction()
    if _wanted(transaction) and opened():
        transaction.join(_Gathered()).ids[model].update(ids)


class _Gathered:
    """What one transaction changed; Tryton calls it at both ends of the commit."""

    def __init__(self):
        self.ids = defaultdict(set)

    def __eq__(self, other):
        return isinstance(other, _Gathered)

    __hash__ = None

    def tpc_begin(self, transaction):
        """Nothing yet."""

    def commit(self, transaction):
        """Publish, still inside the transaction; what the hub refuses is not saved in Tryton either."""
        with transaction.set_user(0), transaction.set_context(_check_access=False, active_test=False):
            try:
                for model, ids in self.ids.items():
                    records = _records(transaction, model, sorted(ids))
                    opened().publish(transaction.connection, f"tryton.{SHAPES[model][0]}", records)
            except NaveError as error:
                raise UserError(str(error), error.help()) from error

    def tpc_vote(self, transaction):
        """All was said by `commit`."""

    def tpc_finish(self, transaction):
        """It is committed: save the hub a second of waiting."""
        self.ids.clear()
        opened().announce()

    def tpc_abort(self, transaction):
        """None of it happened."""
        self.ids.clear()


def _records(transaction, model, ids):
    there = {row.id: row for row in Pool().get(model).search([("id", "in", ids)])}
    return [record_of(there[one]) if one in there else gone(one, _moment(transaction)) for one in ids]


def _moment(transaction):
    """Of the transaction, by the clock that the moments of writes are by: where the database is a file, this machine's."""
    cursor = transaction.connection.cursor()
    cursor.execute("SELECT CURRENT_TIMESTAMP")
    (at,) = cursor.fetchone()
    return at.astimezone(UTC) if isinstance(at, datetime) else datetime.now(UTC)
