"""Connector `files`: a local folder that systems drop files into and take files from."""

from __future__ import annotations

from nave.connectors.files.again import pending, reread
from nave.connectors.files.glance import Glance
from nave.connectors.files.options import FilesOptions, FilesSinkOptions, FilesSourceOptions
from nave.connectors.files.places import check, watched
from nave.connectors.files.shelf import here
from nave.connectors.files.sink import FilesSink
from nave.connectors.files.source import FilesSource
from nave.core.protocols import ConnectorSpec, Extent

SPEC = ConnectorSpec(
    name="files",
    summary="A folder: files in, claimed by rename, landed in batches and archived by day; files out, whole or not at all",
    options=FilesOptions,
    source_options=FilesSourceOptions,
    sink_options=FilesSinkOptions,
    source=FilesSource,
    sink=FilesSink,
    check=check,
    watch=watched,
    pending=pending,
    reread=reread,
    extent=lambda _options: Extent.MAY_BE_ALL,
    look=Glance,
    shelf=here,
)
