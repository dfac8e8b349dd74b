"""The store: one database that remembers what each system said, what is true, and what each target has acknowledged."""

from nave.core.store.engine import Store, Transaction, open_store

__all__ = ["Store", "Transaction", "open_store"]
