"""Notices that a file of the hub was changed, for commands that run again each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from nave.cli.failures import BadHub, ended_by
from nave.cli.session import Session
from nave.core.errors import NaveError

_FOLDERS = ("systems", "entities", "mappings", "tables", "python", "xslt")
_LOOK_EVERY = 500
"""Milliseconds after which files are compared though nothing was heard: shares on a network send no events."""

_State = Mapping[Path, tuple[int, int]]


def again(session: Session, folder: Path, work: Callable[[], int]) -> int:
    """Do it now and after each change of the hub's files, until somebody interrupts; mistakes end nothing."""
    later = changes(folder)
    status = _tried(session, work)
    for _ in later:
        session.remark("test.again")
        status = _tried(session, work)
    return status


def _tried(session: Session, work: Callable[[], int]) -> int:
    try:
        return work()
    except (NaveError, BadHub) as error:
        return ended_by(error, session)


def changes(folder: Path) -> Iterator[None]:
    """Yields after each change of the hub's files from now on, not only from the first look at the iterator on."""
    return _changes(folder, _state(folder))


def _changes(folder: Path, seen: _State) -> Iterator[None]:
    from watchfiles import watch

    for _ in watch(folder, debounce=100, rust_timeout=_LOOK_EVERY, yield_on_timeout=True):
        now = _state(folder)
        if now != seen:
            seen = now
            yield


def _state(folder: Path) -> _State:
    """When each file was written, and how long it is; one that goes away meanwhile is gone."""
    listed = [*folder.glob("*.yaml"), *(path for name in _FOLDERS for path in (folder / name).rglob("*"))]
    found: dict[Path, tuple[int, int]] = {}
    for path in listed:
        try:
            known = path.stat()
        except OSError:
            continue
        if path.is_file() and "__pycache__" not in path.parts:
            found[path] = (known.st_mtime_ns, known.st_size)
    return found
