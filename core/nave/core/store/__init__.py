"""The store: one database that remembers what each system said, what is true, and what each target has acknowledged."""

from nave.core.store.engine import Store, Transaction, open_store
from nave.core.store.query import Query

__all__ = ["Query", "Store", "Transaction", "open_store"]
