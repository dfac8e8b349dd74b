"""Finds the hub that a command is about, reads it, and opens it as far as the command needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from nave.cli import exits, logs
from nave.cli.failures import BadHub, Stop
from nave.cli.session import Session
from nave.config import HUB_FILE, HubConfig, Loaded, Problem, in_order, load
from nave.core.store import Store, open_store
from nave.workers.build import Compilation, build_hub, compile_hub
from nave.workers.flows import Hub


def find_folder(session: Session) -> Path:
    """The hub's folder: the one that was named, else the nearest above the current one that has a `hub.yaml`."""
    if session.hub is not None:
        if not (session.hub / HUB_FILE).is_file():
            raise Stop(exits.USAGE, "NAVE-E201", folder=session.hub)
        return session.hub.absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / HUB_FILE).is_file():
            return folder
    raise Stop(exits.USAGE, "NAVE-E201", folder=here)


def read(session: Session) -> Loaded:
    """The hub's files and what is wrong with them."""
    return load(find_folder(session), environ=session.environ)


def examined(loaded: Loaded) -> tuple[Compilation, list[Problem]]:
    """The mappings compiled, and all problems of the folder in order; each is told once."""
    compiled = compile_hub(loaded.partial)
    return compiled, list(_once(in_order([*loaded.problems, *compiled.problems])))


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    seen: set[tuple[object, ...]] = set()
    for one in problems:
        mark = (one.file, one.line, one.column, one.code, one.text())
        if mark not in seen:
            seen.add(mark)
            yield one


def compiled_hub(session: Session) -> tuple[HubConfig, Compilation]:
    """The hub ready to be built; BadHub with all problems where it cannot be, warnings told on the side."""
    loaded = read(session)
    compiled, problems = examined(loaded)
    if loaded.config is None or any(one.severity == "error" for one in problems):
        raise BadHub(problems)
    return loaded.config, compiled


@contextmanager
def opened_hub(session: Session) -> Iterator[tuple[HubConfig, Hub]]:
    """A hub that can work, with its store open."""
    logs.configure(session)
    config, compiled = compiled_hub(session)
    hub = build_hub(config, compiled)
    try:
        yield config, hub
    finally:
        hub.hints.close()
        hub.store.close()


@contextmanager
def opened_store(session: Session) -> Iterator[tuple[HubConfig, Store]]:
    """The store of a hub to look into, also while its mappings are broken; BadHub where not even its files can be read."""
    logs.configure(session)
    loaded = read(session)
    if not loaded.partial.store or any(one.file == HUB_FILE for one in loaded.errors):
        raise BadHub(loaded.problems)
    if loaded.config is None:
        session.remark("hub.broken", count=len(list(loaded.errors)))
    store = open_store(loaded.partial.store, loaded.partial.folder)
    try:
        yield loaded.partial, store
    finally:
        store.close()


def known(name: str, names: Iterable[str], code: str) -> str:
    """`name` if it is one of `names`; a Stop that says what is near if not."""
    listed = sorted(names)
    if name in listed:
        return name
    raise Stop(exits.USAGE, code, name=name[:80], near=nearest(name, listed))


def nearest(name: str, names: Sequence[str]) -> str:
    """Names that were probably meant, or else all there are."""
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    return ", ".join(close or names[:20]) or "-"
