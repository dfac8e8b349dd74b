"""Connector `ftp`: a folder on an FTP server, over TLS unless told otherwise, that systems drop files into and take from."""

from __future__ import annotations

from pathlib import Path

from nave.connectors.files.far import Way
from nave.connectors.files.ftp.errors import translating
from nave.connectors.files.ftp.options import FtpOptions
from nave.connectors.files.share import Share


def _connect(connection: FtpOptions, folder: Path, anew: bool) -> Share:
    from nave.connectors.files.ftp.share import connected  # costs its import only where it is used

    return connected(connection, folder, anew=anew)


WAY = Way(
    name="ftp",
    summary="A folder on an FTP or FTPS server: files in, claimed by rename, fetched whole and landed in batches; files out",
    options=FtpOptions,
    connect=_connect,
    translating=translating,
)
SPEC = WAY.spec()
