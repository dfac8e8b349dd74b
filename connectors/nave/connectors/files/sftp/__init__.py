"""Connector `sftp`: a folder on an SFTP server that systems drop files into and take files from."""

from __future__ import annotations

from pathlib import Path

from nave.connectors.files.far import Way
from nave.connectors.files.sftp.errors import translating
from nave.connectors.files.sftp.options import SftpOptions
from nave.connectors.files.share import Share


def _connect(connection: SftpOptions, folder: Path, anew: bool) -> Share:
    from nave.connectors.files.sftp.share import connected  # costs its import only where it is used

    return connected(connection, folder, anew=anew)


WAY = Way(
    name="sftp",
    summary="A folder on an SFTP server: files in, claimed by rename, fetched whole and landed in batches; files out, whole",
    options=SftpOptions,
    connect=_connect,
    translating=translating,
)
SPEC = WAY.spec()
