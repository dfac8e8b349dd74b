"""An opened drop folder, as reading and writing use it, and the one on this machine; `remote` has the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from nave.connectors.dropped.errors import translating, translating_ledger
from nave.connectors.dropped.folders import Folder
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.own import lock
from nave.connectors.dropped.room import Room
from nave.connectors.files.claims import Quiet, Stillness
from nave.connectors.files.ledger import Ledger
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.places import folder, opened
from nave.core.protocols import Setting


class Site(Protocol):
    """A folder that one source reads, with nobody else doing so."""

    @property
    def root(self) -> Folder:
        """Where files are dropped."""

    @property
    def claimed(self) -> Folder:
        """Where files go before they are read."""

    @property
    def quiet(self) -> Stillness:
        """When a file has been left alone for long enough."""

    def near(self, name: str) -> Room | None:
        """A folder on this machine that holds the claimed file, whole; None where somebody still writes to it."""

    def same(self, name: str) -> bool:
        """Whether the claimed file is still what `near` gave."""

    def forget(self, name: str) -> None:
        """The claimed file has been put away."""

    def another_look(self) -> bool:
        """Whether looking once more is worth it: waits for what needs only a moment more."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """A folder that one sink writes to."""

    root: Folder
    temporary: Folder
    ledger: Ledger
    lock: Room
    """The folder of the ledger, which is on this machine."""


class Spot(Protocol):
    """A connection's folder, wherever it is; errors of whatever is used to get there become the hub's."""

    def reading(self, options: FilesSourceOptions, quiet: Quiet) -> AbstractContextManager[Site]:
        """Open it for a source; RetryableError NAVE-S017 if somebody else has."""

    def writing(self) -> AbstractContextManager[Outbox]:
        """Open it for a sink."""

    def translating(self) -> AbstractContextManager[None]:
        """Around whatever is done with it."""


@dataclass(frozen=True, slots=True)
class HereSite:
    """A folder of this machine: what is claimed is read where it lies."""

    root: Room
    claimed: Room
    quiet: Quiet

    def near(self, name: str) -> Room | None:
        """Where it lies."""
        return self.claimed

    def same(self, name: str) -> bool:
        """Whoever reads it sees that for himself."""
        return True

    def forget(self, name: str) -> None:
        """Nothing else is left of it."""

    def another_look(self) -> bool:
        """The folder is watched."""
        return False


@dataclass(frozen=True, slots=True)
class Here:
    """A folder of this machine."""

    connection: FilesOptions
    setting: Setting

    @contextmanager
    def reading(self, options: FilesSourceOptions, quiet: Quiet) -> Iterator[Site]:
        """Open it, and lock the folder of claimed files."""
        with ExitStack() as stack:
            root = stack.enter_context(closing(opened(self.connection, self.setting)))
            claimed = stack.enter_context(closing(root.inner(".nave", "claimed", safe_name(self.setting.name))))
            lock(claimed, self.setting.name)
            yield HereSite(root, claimed, quiet)

    @contextmanager
    def writing(self) -> Iterator[Outbox]:
        """Open it, and the ledger in it."""
        name = safe_name(self.setting.name)
        with ExitStack() as stack:
            root = stack.enter_context(closing(opened(self.connection, self.setting)))
            temporary = stack.enter_context(closing(root.inner(".nave", "sent", name)))
            path = folder(self.connection, self.setting) / ".nave" / "sent" / name / "ledger.db"
            yield Outbox(root, temporary, stack.enter_context(closing(Ledger(path))), temporary)

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Around whatever is done with it."""
        path = folder(self.connection, self.setting)
        with translating(path), translating_ledger(path):
            yield
