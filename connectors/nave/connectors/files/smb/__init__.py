"""Connector `smb`: a folder of a Windows or Samba share that systems drop files into and take files from."""

from __future__ import annotations

from pathlib import Path

from nave.connectors.files.far import Way
from nave.connectors.files.share import Share
from nave.connectors.files.smb.errors import translating
from nave.connectors.files.smb.options import SmbOptions


def _connect(connection: SmbOptions, folder: Path, anew: bool) -> Share:
    from nave.connectors.files.smb.share import connected  # costs its import only where it is used

    return connected(connection, folder, anew=anew)


WAY = Way(
    name="smb",
    summary="A folder of a Windows or Samba share: files in, claimed by rename, fetched whole, landed in batches; files out",
    options=SmbOptions,
    connect=_connect,
    translating=translating,
)
SPEC = WAY.spec()
