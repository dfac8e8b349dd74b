"""How a peer that speaks HTTP looks: what it understands of a request, and what its answers look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, still as text: in which encoding it goes out is the peer's affair."""

    status: int
    text: str
    media: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def told(self, *, encoding: str = "utf-8", length: int | None = None) -> bytes:
        """As bytes; `length` is claimed in place of the true one, and nothing is said of the encoding."""
        body = self.text.encode(encoding)
        lines = {
            "Content-Type": self.media,
            "Content-Length": str(len(body) if length is None else length),
            **self.headers,
        }
        head = f"HTTP/1.1 {self.status} Said\r\n" + "".join(f"{name}: {text}\r\n" for name, text in lines.items())
        return head.encode() + b"\r\n" + body


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants."""

    kind: Literal["put", "find", "list", "else"]
    key: str = ""
    version: int = 0
    start: int = 0
    """Of a list: how many records to leave out."""
    size: int = 100
    keys: tuple[str, ...] = ()
    """Of a search for several records at once: all of them; `key` is then the face's own affair."""
    file: str = ""
    """Of a file: what it is called."""

    def of(self, key: str) -> Asked:
        """The same about another record."""
        return replace(self, key=key)


class Face(Protocol):
    """What a declaration says of the peer; the texts must hold some Chinese, for encodings to matter."""

    def asked(self, request: Request) -> Asked:
        """What is wanted."""

    def taken(self, asked: Asked, name: str) -> Reply:
        """It is done; the peer's own key of the record is `name`."""

    def refused(self, asked: Asked) -> Reply:
        """It is not done, said under a status of success."""

    def found(self, asked: Asked, version: int | None) -> Reply:
        """Which version is held; None for none."""

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """A page of a list: codes and names."""


@runtime_checkable
class SearchedFace(Face, Protocol):
    """Of a peer that is asked for several records at once."""

    def found_among(self, asked: Asked, held: Mapping[str, int]) -> Reply:
        """Which of `asked.keys` are held, and in which versions."""


class FolderFace(Protocol):
    """Of a peer that takes files out of one folder and writes its receipts into another."""

    def asked(self, request: Request) -> Asked:
        """What a file wants, which stands in `body` and is called `path`."""

    def taken(self, asked: Asked, name: str) -> Reply:
        """The receipt: it is done; the peer's own key of the record is `name`."""

    def refused(self, asked: Asked) -> Reply:
        """The receipt: it is not done."""

    def contrary(self, asked: Asked, name: str) -> Reply:
        """A receipt that says yes in one place and no in another."""
