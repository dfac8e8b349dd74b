"""What a run wants of a drop folder besides reading it: does something still settle there, and read a refused file again."""

from __future__ import annotations

import fnmatch
import re
import stat
import time
from collections.abc import Collection
from contextlib import closing

from nave.connectors.dropped.errors import translating
from nave.connectors.dropped.folders import Folder, move
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.room import Room
from nave.connectors.files.claims import Quiet
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.pairs import Pairs
from nave.connectors.files.places import folder, opened
from nave.core.protocols import Setting

_NUMBERED = re.compile(r"~[0-9]+$")


def pending(connection: FilesOptions, options: FilesSourceOptions, setting: Setting) -> bool:
    """Whether a file of the pattern was written to too recently to be ready; without its marker it may never be."""
    if options.ready.quiet is None:
        return False
    quiet = Quiet(options.ready)
    path = folder(connection, setting)
    with translating(path):
        if not path.is_dir():
            return False
        with closing(Room.at(path)) as root:
            states = {
                name: state for name, state in root.entries() if not name.startswith(".") and not stat.S_ISDIR(state.st_mode)
            }
    return any(quiet.is_fresh(states[name].st_mtime) for name in _wanted(options, states))


def _wanted(options: FilesSourceOptions, names: Collection[str]) -> list[str]:
    """What is to be read; of head and line files those that have their other half, which may never come."""
    if options.pairs is not None:
        pairs, _ = options.pairs.found(names)
        return [*pairs, *pairs.values()]
    return fnmatch.filter(names, options.pattern)


def reread(connection: FilesOptions, options: FilesSourceOptions, setting: Setting, name: str) -> bool:
    """Claim a refused file anew, so that the next read takes it; false where it is gone.

    What was landed of it before lands again, and is recognised as unchanged.
    """
    with translating(folder(connection, setting)), closing(opened(connection, setting)) as root:
        return offered(root, options, setting, name)


def offered(root: Folder, options: FilesSourceOptions, setting: Setting, name: str) -> bool:
    """The same in a folder that is open, wherever it is."""
    if options.pairs is not None:
        return _put_back(root, options, options.pairs, name)
    refused = root.inner(*options.refused.split("/"))
    claims = root.inner(".nave", "claimed", safe_name(setting.name))
    with closing(refused), closing(claims):
        dropped = _NUMBERED.sub("", name)
        if not dropped or safe_name(dropped) != dropped or refused.stat(name) is None:
            return False
        move(name, refused, claims, f"{time.time_ns():020d}-999999-{dropped}")
        refused.remove(f"{name}.note.txt")
        refused.sync()
    return True


def _put_back(root: Folder, options: FilesSourceOptions, pairs: Pairs, name: str) -> bool:
    """Drop a refused file again, with its line file if that was refused with it: what lacks the other half gets a chance.

    Each step may be the last, and doing all again finishes it.
    """
    dropped = _NUMBERED.sub("", name)
    with closing(root.inner(*options.refused.split("/"))) as refused:
        if not dropped or safe_name(dropped) != dropped or refused.stat(name) is None:
            return False
        lines = pairs.lines_of(dropped) or ""
        beside = lines + name.removeprefix(dropped)
        files = {beside: lines} if lines and refused.stat(beside) is not None else {}
        files |= {name: dropped}
        if any(root.stat(wanted) is not None for wanted in files.values()):
            return False
        for one, wanted in files.items():
            if wanted == dropped:
                _mark_again(root, options.ready.marker, dropped, lines)
            move(one, refused, root, wanted)
        refused.remove(f"{name}.note.txt")
        refused.sync()
    return True


def _mark_again(root: Folder, marker: str | None, dropped: str, lines: str) -> None:
    """Before the file itself comes: once that is gone from the refused ones, nobody would do it any more."""
    if marker is None:
        return
    if lines and root.stat(lines) is not None:
        root.put(lines + marker, b"")
    root.put(dropped + marker, b"")
