"""Connector `sftp`: a folder on an SFTP server that systems drop files into and take files from."""

from __future__ import annotations

from nave.connectors.files import remote
from nave.connectors.files.options import FilesSinkOptions, FilesSourceOptions
from nave.connectors.files.remote import Server, There
from nave.connectors.files.sftpoptions import SftpOptions
from nave.connectors.files.share import Share
from nave.connectors.files.sink import FilesSink
from nave.connectors.files.source import FilesSource
from nave.connectors.files.ssherrors import translating
from nave.core.protocols import ConnectorSpec, Extent, Setting


def server(connection: SftpOptions, setting: Setting, *, anew: bool = False) -> Server:
    """How to get there; with `anew` also with a login that was refused before."""

    def connect() -> Share:
        from nave.connectors.files.ssh import connected  # costs its import only where it is used

        return connected(connection, setting.folder, anew=anew)

    return Server(
        url=connection.url,
        path=connection.path,
        connect=connect,
        translating=lambda: translating(connection.url),
        largest=connection.largest,
        transfer=connection.transfer.total_seconds(),
    )


def _source(connection: SftpOptions, options: FilesSourceOptions, setting: Setting) -> FilesSource:
    return FilesSource.at(There(server(connection, setting), setting), options, setting)


def _sink(connection: SftpOptions, options: FilesSinkOptions, setting: Setting) -> FilesSink:
    return FilesSink.at(There(server(connection, setting), setting), options, setting)


def _check(connection: SftpOptions, setting: Setting) -> None:
    remote.check(server(connection, setting, anew=True), setting)


def _pending(connection: SftpOptions, options: FilesSourceOptions, setting: Setting) -> bool:
    return remote.pending(setting)


def _reread(connection: SftpOptions, options: FilesSourceOptions, setting: Setting, name: str) -> bool:
    return remote.reread(server(connection, setting), options, setting, name)


SPEC = ConnectorSpec(
    name="sftp",
    summary="A folder on an SFTP server: files in, claimed by rename, fetched whole and landed in batches; files out, whole",
    options=SftpOptions,
    source_options=FilesSourceOptions,
    sink_options=FilesSinkOptions,
    source=_source,
    sink=_sink,
    check=_check,
    pending=_pending,
    reread=_reread,
    extent=lambda _options: Extent.MAY_BE_ALL,
)
