"""A share as the connector needs it: each call by a path inside it, the server's answers as Python knows them.

What is renamed or fetched is opened so that nobody else may write to it: who still has it open for writing keeps it.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from smbprotocol import exceptions as smb
from smbprotocol.file_info import FileInformationClass, FileRenameInformation
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FileAttributes,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2SetInfoRequest,
)

from nave.connectors.files.share import Far
from nave.connectors.files.smb.link import Link, opened
from nave.connectors.files.smb.options import SmbOptions
from nave.connectors.wording import short

_SMALL, _PIECE = 64 * 1024, 256 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALL = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
_NO_WRITERS = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_DELETE
_ITSELF = CreateOptions.FILE_OPEN_REPARSE_POINT
_LOOK = FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES
_READ = FilePipePrinterAccessMask.FILE_READ_DATA | _LOOK
_WRITE = FilePipePrinterAccessMask.FILE_WRITE_DATA | _LOOK
_DELETE = FilePipePrinterAccessMask.DELETE | _LOOK
_NONSENSE = (struct.error, KeyError, IndexError, UnicodeDecodeError)
"""What the library makes of answers that are none."""
_MEANT: tuple[tuple[tuple[type[BaseException], ...], type[OSError]], ...] = (
    (
        (
            smb.ObjectNameNotFound,
            smb.ObjectPathNotFound,
            smb.NoSuchFile,
            smb.NotFound,
            smb.DeletePending,
            smb.BadNetworkName,
        ),
        FileNotFoundError,
    ),
    ((smb.AccessDenied, smb.PrivilegeNotHeld, smb.CannotDelete), PermissionError),
    ((smb.SharingViolation,), BlockingIOError),
    ((smb.ObjectNameCollision,), FileExistsError),
    ((smb.StatusNotADirectory, smb.StoppedOnSymlink), NotADirectoryError),
)


def connected(connection: SmbOptions, folder: Path, *, anew: bool) -> SmbShare:
    """Log in; ConfigError for a login that is no good, the library's errors for the rest."""
    with _meant():
        return SmbShare(*opened(connection, folder, anew=anew))


class SmbShare:
    """A connected share."""

    def __init__(self, link: Link, tree: Any) -> None:
        self._link = link
        self._tree = tree
        self._piece = _PIECE if link.supports_multi_credit else _SMALL

    def close(self) -> None:
        """Hang up."""
        self._link.drop()

    def entries(self, folder: str) -> Iterator[tuple[str, Far]]:
        """Everything in a folder, links as themselves where the server shows them as such."""
        kind = FileInformationClass.FILE_DIRECTORY_INFORMATION
        with self._open(folder, _READ, _ALL, options=CreateOptions.FILE_DIRECTORY_FILE) as file, suppress(smb.NoMoreFiles):
            while True:
                for entry in file.query_directory("*", kind, max_output=_SMALL):
                    told = {name: entry[name].get_value() for name in ("file_attributes", "end_of_file", "last_write_time")}
                    yield entry["file_name"].get_value().decode("utf-16-le", "surrogatepass"), _far(**told)

    def stat(self, path: str) -> Far | None:
        """The entry itself, None if there is none."""
        try:
            with self._open(path, _LOOK, _ALL) as file:
                return _far(file.file_attributes, file.end_of_file, file.last_write_time)
        except FileNotFoundError:
            return None

    def make(self, folder: str) -> None:
        """Make a folder that is not there."""
        with self._open(folder, _LOOK, _ALL, CreateDisposition.FILE_CREATE, CreateOptions.FILE_DIRECTORY_FILE):
            return

    def rename(self, old: str, new: str) -> None:
        """Move; the server refuses a name that is taken."""
        with self._open(old, _DELETE, _NO_WRITERS) as file:
            told = FileRenameInformation()
            told["replace_if_exists"] = False
            told["file_name"] = _backward(new)
            request = SMB2SetInfoRequest()
            request["info_type"] = told.INFO_TYPE
            request["file_info_class"] = told.INFO_CLASS
            request["file_id"] = file.file_id
            request["buffer"] = told
            self._link.receive(self._link.send(request, self._tree.session.session_id, self._tree.tree_connect_id))

    def remove(self, path: str) -> None:
        """Remove a file."""
        options = CreateOptions.FILE_NON_DIRECTORY_FILE | CreateOptions.FILE_DELETE_ON_CLOSE
        with self._open(path, _DELETE, _ALL, options=options):
            return

    def get(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """Piece by piece."""
        with self._open(path, _READ, _NO_WRITERS, options=CreateOptions.FILE_NON_DIRECTORY_FILE) as file:
            length = min(self._piece, self._link.max_read_size)
            with suppress(smb.EndOfFile):
                while piece := file.read(start, length):
                    start += len(piece)
                    yield piece

    def put(self, path: str, content: bytes) -> None:
        """Write a file, over what is there, and have the server bring it to its disk."""
        way = CreateDisposition.FILE_OVERWRITE_IF, CreateOptions.FILE_NON_DIRECTORY_FILE
        with self._open(path, _WRITE, ShareAccess.FILE_SHARE_READ, *way) as file:
            length = min(self._piece, self._link.max_write_size)
            for start in range(0, len(content), length):
                file.write(content[start : start + length], start)
            file.flush()

    @contextmanager
    def _open(
        self, path: str, access: int, others: int, disposition: int = CreateDisposition.FILE_OPEN, options: int = 0
    ) -> Iterator[Any]:
        with _meant():
            file = Open(self._tree, _backward(path))
            kind = FileAttributes.FILE_ATTRIBUTE_NORMAL if not options & CreateOptions.FILE_DIRECTORY_FILE else 0
            file.create(ImpersonationLevel.Impersonation, access, kind, others, disposition, options | _ITSELF)
            try:
                yield file
            except BaseException:
                with suppress(smb.SMBException, OSError):
                    file.close()
                raise
            file.close()


@contextmanager
def _meant() -> Iterator[None]:
    """The server's answers as the errors that Python has for them."""
    try:
        yield
    except smb.SMBResponseException as error:
        for kinds, meant in _MEANT:
            if isinstance(error, kinds):
                raise meant(short(error)) from error
        raise
    except _NONSENSE as error:
        raise smb.SMBException(f"an answer that is none: {type(error).__name__}") from error


def _backward(path: str) -> str:
    """As this protocol writes paths: inside the share, with the other slash."""
    if "\\" in path:
        raise ValueError("a path that cannot be sent")
    return path.replace("/", "\\")


def _far(file_attributes: int, end_of_file: int, last_write_time: datetime) -> Far:
    changed = last_write_time if last_write_time.tzinfo else last_write_time.replace(tzinfo=UTC)
    return Far(_kind(file_attributes), end_of_file, (changed - _EPOCH) // timedelta(microseconds=1) * 1000)


def _kind(attributes: int) -> int:
    if attributes & FileAttributes.FILE_ATTRIBUTE_REPARSE_POINT:
        return stat.S_IFLNK
    return stat.S_IFDIR if attributes & FileAttributes.FILE_ATTRIBUTE_DIRECTORY else stat.S_IFREG
