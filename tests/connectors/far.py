"""A drop folder on a real SFTP server, whose disk is this machine's, so that a test sees what the server holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nave.connectors.files.claims import Step
from nave.connectors.files.options import FilesSinkOptions, FilesSourceOptions
from nave.connectors.files.remote import There
from nave.connectors.files.sftp import server
from nave.connectors.files.sftpoptions import SftpOptions
from nave.connectors.files.sink import FilesSink
from nave.connectors.files.source import FilesSource
from nave.core.protocols import Setting
from tests.connectors.dropping import CSV, NOW, Drop, go_on
from tests.servers.openssh import Sshd


def connection(sshd: Sshd, folder: Path, **options: Any) -> SftpOptions:
    """A good connection to a folder of the server, but for what `options` says."""
    good = {
        "url": f"sftp://127.0.0.1:{sshd.port}{folder}",
        "user": sshd.user,
        "key": str(sshd.key),
        "host_key": sshd.fingerprint,
        "timeout": "20s",
    }
    return SftpOptions.model_validate({**good, **options})


@dataclass
class FarDrop(Drop):
    """What a hub has of a drop folder on a server; `hub` is the hub's own folder."""

    connection: SftpOptions | None = None
    hub: Path = field(default_factory=Path)

    @property
    def setting(self) -> Setting:
        return Setting("erp.orders", self.hub)

    def source(self, step: Step = go_on) -> FilesSource:
        assert self.connection is not None
        options = {"pattern": "*", "format": CSV, "ready": NOW, "batch": 10, **self.options}
        place = There(server(self.connection, self.setting), self.setting)
        return FilesSource.at(place, FilesSourceOptions.model_validate(options), self.setting, step)

    def copies(self) -> list[str]:
        """Files that the hub keeps of those on the server."""
        spool = self.hub / ".nave" / "spool" / "erp.orders"
        return sorted(path.name for path in spool.iterdir() if path.name != "looks.json") if spool.is_dir() else []


def far_drop(sshd: Sshd, base: Path, options: dict[str, Any] | None = None, **more: Any) -> FarDrop:
    """A new, empty folder on the server."""
    folder = base / "drop"
    folder.mkdir(parents=True)
    return FarDrop(folder, options or {}, connection=connection(sshd, folder, **more), hub=base)


def far_sink(sshd: Sshd, base: Path, step: Step = go_on, **options: Any) -> FilesSink:
    """A sink to a folder on the server."""
    (base / "out").mkdir(parents=True, exist_ok=True)
    setting = Setting("erp.customers", base)
    made = FilesSinkOptions.model_validate({"name": "customers_{seq}.csv", "format": {"type": "csv"}, **options})
    return FilesSink.at(There(server(connection(sshd, base / "out"), setting), setting), made, setting, step)
