"""What connections to file servers have in common, and the connector that is made of a way to get to one kind of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nave.connectors.files import remote
from nave.connectors.files.glance import Glance
from nave.connectors.files.options import FilesSinkOptions, FilesSourceOptions
from nave.connectors.files.remote import Server, There
from nave.connectors.files.share import Share
from nave.connectors.files.shelf import there
from nave.connectors.files.sink import FilesSink
from nave.connectors.files.source import FilesSource
from nave.core.protocols import ConnectorSpec, Extent, Setting, Shelf
from nave.core.units import Duration, Size


class FarOptions(BaseModel):
    """A connection: one folder on a server."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    SCHEME: ClassVar[str]
    PORT: ClassVar[int]

    url: str = Field(description="The server and the folder")
    user: str = Field(min_length=1, description="Who logs in")
    timeout: Duration = Field(default=timedelta(seconds=30), description="How long to wait for the server to say anything")
    transfer: Duration = Field(default=timedelta(hours=1), description="How long one pass may fetch one file")
    largest: Size = Field(default=1024**3, ge=1, description="Files that are larger are refused unread")

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        parts, scheme = urlsplit(text), cls.SCHEME
        if parts.scheme != scheme or not parts.hostname or parts.query or parts.fragment or parts.username or parts.password:
            form = f"{scheme}://host/folder or {scheme}://host:2222/folder"
            raise ValueError(f"expected {form}; user and password have their own options")
        if not 0 < (parts.port or cls.PORT) < 65536:
            raise ValueError("expected a port between 1 and 65535")
        path = unquote(parts.path)
        if any(part in (".", "..") for part in path.split("/")) or not path.isprintable():
            raise ValueError("expected a folder without . and .. and control characters in it")
        return text

    @field_validator("user")
    @classmethod
    def _user(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("expected a user without control characters")
        return text

    @field_validator("timeout")
    @classmethod
    def _timeout(cls, length: timedelta) -> timedelta:
        if not length:
            raise ValueError("expected a timeout above zero")
        return length

    @property
    def host(self) -> str:
        """The server's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The usual one unless the url says otherwise."""
        return urlsplit(self.url).port or self.PORT

    @property
    def path(self) -> str:
        """The folder as the server knows it; a relative one starts where the login does."""
        path = unquote(urlsplit(self.url).path)
        return path.removeprefix("/~").lstrip("/") if path == "/~" or path.startswith("/~/") else path or "/"


C = TypeVar("C", bound=FarOptions)


@dataclass(frozen=True, slots=True)
class Way(Generic[C]):
    """How to get to one kind of servers."""

    name: str
    summary: str
    options: type[C]
    connect: Callable[[C, Path, bool], Share]
    """Log in, from the hub's folder; the last argument says whether to try also what was refused before."""
    translating: Callable[[str], AbstractContextManager[None]]
    """Around whatever is done there: what goes wrong at this url becomes an error of the hub."""

    def server(self, connection: C, setting: Setting, *, anew: bool = False) -> Server:
        """How to get to this one; with `anew` also with a login that was refused before."""
        return Server(
            url=connection.url,
            path=connection.path,
            connect=lambda: self.connect(connection, setting.folder, anew),
            translating=lambda: self.translating(connection.url),
            largest=connection.largest,
            transfer=connection.transfer.total_seconds(),
        )

    def spec(self) -> ConnectorSpec:
        """The connector."""
        return ConnectorSpec(
            name=self.name,
            summary=self.summary,
            options=self.options,
            source_options=FilesSourceOptions,
            sink_options=FilesSinkOptions,
            source=self._source,
            sink=self._sink,
            check=self._check,
            pending=lambda _connection, _options, setting: remote.pending(setting),
            reread=self._reread,
            extent=lambda _options: Extent.MAY_BE_ALL,
            look=self._look,
            shelf=self._shelf,
        )

    def _source(self, connection: C, options: FilesSourceOptions, setting: Setting) -> FilesSource:
        return FilesSource.at(There(self.server(connection, setting), setting), options, setting)

    def _look(self, connection: C, options: FilesSourceOptions, setting: Setting) -> Glance:
        return Glance.at(self.server(connection, setting), options)

    def _shelf(self, connection: C, _options: FilesSourceOptions, setting: Setting) -> AbstractContextManager[Shelf]:
        return there(self.server(connection, setting), setting)

    def _sink(self, connection: C, options: FilesSinkOptions, setting: Setting) -> FilesSink:
        return FilesSink.at(There(self.server(connection, setting), setting), options, setting)

    def _check(self, connection: C, setting: Setting) -> None:
        remote.check(self.server(connection, setting, anew=True), setting)

    def _reread(self, connection: C, options: FilesSourceOptions, setting: Setting, name: str) -> bool:
        return remote.reread(self.server(connection, setting), options, setting, name)
