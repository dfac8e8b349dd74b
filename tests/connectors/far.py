"""Drop folders on real file servers, whose disks are this machine's, so that a test sees what the server holds."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Generic

from nave.connectors.files.claims import Step
from nave.connectors.files.far import C, Way
from nave.connectors.files.ftp import WAY as FTP
from nave.connectors.files.options import FilesSinkOptions, FilesSourceOptions
from nave.connectors.files.remote import There
from nave.connectors.files.sftp import WAY as SFTP
from nave.connectors.files.sink import FilesSink
from nave.connectors.files.smb import WAY as SMB
from nave.connectors.files.source import FilesSource
from nave.core.protocols import Outbound, Setting
from tests.connectors.dropping import CSV, NOW, Drop, go_on
from tests.servers.openssh import Sshd
from tests.servers.samba import Smbd
from tests.servers.vsftpd import Ftpd

Server = Sshd | Ftpd | Smbd
WAYS: Mapping[str, Way[Any]] = {way.name: way for way in (SFTP, FTP, SMB)}
_SHARES = {"sftp": "SftpShare", "ftp": "FtpShare", "smb": "SmbShare"}


@dataclass(frozen=True)
class Reach(Generic[C]):
    """How a hub of a test gets to a server."""

    way: Way[C]
    good: Mapping[str, Any]
    """Options of a good connection, but for its folder."""
    address: str
    shared: Path
    """What the url's path starts at."""
    bad: Mapping[str, Any]
    """Options of a login that the server refuses."""
    refused: str
    """What its log says of each such login."""

    def options(self, folder: Path, **more: Any) -> C:
        """A good connection to a folder, but for what `more` says."""
        path = "/".join(folder.relative_to(self.shared).parts)
        return self.way.options.model_validate({**self.good, "url": f"{self.address}/{path}", **more})


def reach(server: Server) -> Reach[Any]:
    """The way to a server."""
    if isinstance(server, Sshd):
        user = server.user
        good = {"user": user, "key": str(server.key), "host_key": server.fingerprint, "timeout": "20s"}
        bad, refused = {"key": str(server.other_key)}, f"Failed publickey for {user}"
        return Reach(SFTP, good, f"sftp://127.0.0.1:{server.port}", Path("/"), bad, refused)
    good = {"user": server.user, "password": server.password, "timeout": "20s"}
    bad = {"password": "shut sesame"}
    if isinstance(server, Smbd):
        address, refused = f"smb://127.0.0.1:{server.port}/drop", "NT_STATUS_WRONG_PASSWORD, auth"
        return Reach(SMB, good, address, server.folder, bad, refused)
    address, good = f"ftp://127.0.0.1:{server.port}", {**good, "ca": str(server.ca)}
    return Reach(FTP, good, address, Path("/"), bad, server.refused)


def share_of(way: Way[Any]) -> type[Any]:
    """The class of its connections, to be made worse by a test."""
    kind: type[Any] = getattr(import_module(f"nave.connectors.files.{way.name}.share"), _SHARES[way.name])
    return kind


def place(server: Server, base: Path) -> Path:
    """Where a test with its own `base` may have folders that the server serves."""
    return server.folder / base.parent.name / base.name if isinstance(server, Smbd) else base


@dataclass
class FarDrop(Drop):
    """What a hub has of a drop folder on a server; `hub` is the hub's own folder."""

    way: Way[Any] = SFTP
    connection: Any = None
    hub: Path = field(default_factory=Path)

    @property
    def setting(self) -> Setting:
        return Setting("erp.orders", self.hub)

    def source(self, step: Step = go_on) -> FilesSource:
        options = {"pattern": "*", "format": CSV, "ready": NOW, "batch": 10, **self.options}
        there = There(self.way.server(self.connection, self.setting), self.setting)
        return FilesSource.at(there, FilesSourceOptions.model_validate(options), self.setting, step)

    def copies(self) -> list[str]:
        """Files that the hub keeps of those on the server."""
        spool = self.hub / ".nave" / "spool" / "erp.orders"
        return sorted(path.name for path in spool.iterdir() if path.name != "looks.json") if spool.is_dir() else []


def far_drop(server: Server, base: Path, options: dict[str, Any] | None = None, **more: Any) -> FarDrop:
    """A new, empty folder on the server."""
    folder = place(server, base) / "drop"
    folder.mkdir(parents=True)
    base.mkdir(parents=True, exist_ok=True)
    there = reach(server)
    return FarDrop(folder, options or {}, way=there.way, connection=there.options(folder, **more), hub=base)


def far_sink(server: Server, base: Path, step: Step = go_on, **options: Any) -> FilesSink:
    """A sink to a folder on the server."""
    out, setting, there = place(server, base) / "out", Setting("erp.customers", base), reach(server)
    for folder in (out, base):
        folder.mkdir(parents=True, exist_ok=True)
    made = FilesSinkOptions.model_validate({"name": "customers_{seq}.csv", "format": {"type": "csv"}, **options})
    return FilesSink.at(There(there.way.server(there.options(out), setting), setting), made, setting, step)


def record(key: str, version: int = 1, text: str = "x") -> Outbound:
    return Outbound(key, version, {"code": key, "name": text})


def written(base: Path) -> list[dict[str, str]]:
    """All rows of all files that a reader of the server's folder sees."""
    texts = [path.read_text("utf-8-sig").splitlines() for path in sorted((base / "out").glob("*.csv*"))]
    return [row for lines in texts for row in csv.DictReader(lines)]
