"""What a run wants of a drop folder besides reading it: does something still settle there, and read a refused file again."""

from __future__ import annotations

import fnmatch
import re
import stat
import time
from contextlib import closing

from nave.connectors.files.claims import Quiet
from nave.connectors.files.errors import translating
from nave.connectors.files.folders import Folder, move
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.places import folder, opened, safe_name
from nave.connectors.files.room import Room
from nave.core.protocols import Setting

_NUMBERED = re.compile(r"~[0-9]+$")


def pending(connection: FilesOptions, options: FilesSourceOptions, setting: Setting) -> bool:
    """Whether a file of the pattern was written to too recently to be ready; without its marker it may never be."""
    if options.ready.quiet is None:
        return False
    quiet = Quiet(options.ready)
    wanted = re.compile(fnmatch.translate(options.pattern)).fullmatch
    path = folder(connection, setting)
    with translating(path):
        if not path.is_dir():
            return False
        with closing(Room.at(path)) as root:
            return any(
                quiet.is_fresh(state.st_mtime)
                for name, state in root.entries()
                if wanted(name) and not name.startswith(".") and not stat.S_ISDIR(state.st_mode)
            )


def reread(connection: FilesOptions, options: FilesSourceOptions, setting: Setting, name: str) -> bool:
    """Claim a refused file anew, so that the next read takes it; false where it is gone.

    What was landed of it before lands again, and is recognised as unchanged.
    """
    with translating(folder(connection, setting)), closing(opened(connection, setting)) as root:
        return offered(root, options, setting, name)


def offered(root: Folder, options: FilesSourceOptions, setting: Setting, name: str) -> bool:
    """The same in a folder that is open, wherever it is."""
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
