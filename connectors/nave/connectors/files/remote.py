"""A folder on a file server, opened for a source or a sink; what is the same for all kinds of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass

from nave.connectors.dropped.errors import translating, translating_ledger
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.own import lock, spool_of
from nave.connectors.dropped.room import Room
from nave.connectors.files.again import offered
from nave.connectors.files.claims import Quiet
from nave.connectors.files.ledger import Ledger
from nave.connectors.files.looks import Looks, seen
from nave.connectors.files.options import FilesSourceOptions
from nave.connectors.files.share import FarFolder, Share
from nave.connectors.files.sites import Outbox, Site
from nave.connectors.files.spool import fetch, forget, is_current
from nave.core.errors import PermanentError
from nave.core.protocols import Setting


@dataclass(frozen=True, slots=True)
class Server:
    """How to get to a folder on a server."""

    url: str
    """As it is shown: without a password."""
    path: str
    connect: Callable[[], Share]
    translating: Callable[[], AbstractContextManager[None]]
    """The vendor's errors become the hub's."""
    largest: int
    transfer: float


@dataclass(frozen=True, slots=True)
class ThereSite:
    """A folder on a server: what is claimed is copied to the hub's spool, and read there."""

    server: Server
    root: FarFolder
    claimed: FarFolder
    spool: Room
    quiet: Looks

    def near(self, name: str) -> Room | None:
        """The spool, once the copy is whole; PermanentError where the file is too large to be fetched."""
        there = self.claimed.stat(name)
        if there is not None and there.st_size > self.server.largest:
            raise PermanentError("NAVE-K290", size=there.st_size, limit=self.server.largest)
        return self.spool if fetch(self.claimed, self.spool, name, self.server.transfer) else None

    def same(self, name: str) -> bool:
        """Whether nobody wrote to the original since."""
        return is_current(self.claimed, self.spool, name)

    def forget(self, name: str) -> None:
        """Remove the copy."""
        forget(self.spool, name)

    def another_look(self) -> bool:
        """Wait for what is nearly ready."""
        return self.quiet.wait()


@dataclass(frozen=True, slots=True)
class There:
    """A folder on a server, as one source or sink of a hub uses it."""

    server: Server
    setting: Setting

    @contextmanager
    def reading(self, options: FilesSourceOptions, quiet: Quiet) -> Iterator[Site]:
        """Lock the spool, then connect."""
        with ExitStack() as stack:
            spool = stack.enter_context(closing(spool_of(self.setting.folder, "spool", safe_name(self.setting.name))))
            lock(spool, self.setting.name)
            root = FarFolder(stack.enter_context(closing(self.server.connect())), self.server.path)
            claimed = root.inner(".nave", "claimed", safe_name(self.setting.name))
            looks = Looks(spool, options.ready)
            stack.callback(looks.keep)
            yield ThereSite(self.server, root, claimed, spool, looks)

    @contextmanager
    def writing(self) -> Iterator[Outbox]:
        """Open the ledger, which stays on this machine, then connect."""
        name = safe_name(self.setting.name)
        with ExitStack() as stack:
            room = stack.enter_context(closing(spool_of(self.setting.folder, "sent", name)))
            path = self.setting.folder / ".nave" / "sent" / name / "ledger.db"
            ledger = stack.enter_context(closing(Ledger(path)))
            root = FarFolder(stack.enter_context(closing(self.server.connect())), self.server.path)
            yield Outbox(root, root.inner(".nave", "sent", name), ledger, room)

    @contextmanager
    def translating(self) -> Iterator[None]:
        """The vendor's errors, and those of the spool."""
        spool = self.setting.folder / ".nave"
        with translating(spool), translating_ledger(spool), self.server.translating():
            yield


def check(server: Server, setting: Setting) -> None:
    """Reach the folder once, and see that it can be listed."""
    with server.translating(), closing(server.connect()) as share:
        FarFolder(share, server.path).names()


def pending(setting: Setting) -> bool:
    """Whether the last look found a file that was not ready yet."""
    with closing(spool_of(setting.folder, "spool", safe_name(setting.name))) as spool:
        return bool(seen(spool))


def reread(server: Server, options: FilesSourceOptions, setting: Setting, name: str) -> bool:
    """Claim a refused file anew, so that the next read takes it; false where it is gone."""
    place = There(server, setting)
    with place.translating(), closing(server.connect()) as share:
        return offered(FarFolder(share, server.path), options, setting, name)
