"""`nave init`: a small hub to begin with, the example plant, or ready-made systems, in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import nearest
from nave.cli.session import Session

if TYPE_CHECKING:
    from nave.config.readymade import Ready

_HIDDEN = ".in-git"
"""Stands for a leading dot, which packaging tools are apt to leave out."""
_HUB = "hub.yaml"


def init(
    session: Session, *, folder: Path, example: str | None, systems: Sequence[str], listed: bool, size: int, seed: int
) -> None:
    """Write the files of a hub, and say what to do next; or say what ready-made systems there are."""
    if listed:
        _list(session)
        return
    ready = _gathered(systems)
    if ready and example is None:
        _init_systems(session, folder, ready, systems)
        return
    if folder.exists() and any(folder.iterdir()):
        raise Stop(exits.REFUSED, "NAVE-E219", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = _MAKERS[example or ""](session, folder, size, seed)
    written = sorted([*written, *_write(folder, ready)])
    data = {"folder": str(folder), "example": example, "systems": list(systems), "files": written}
    session.answer(data, _lines(session, folder, example or "starter", len(written)))


def _list(session: Session) -> None:
    from nave.config.readymade import ready_systems

    rows = [
        {"system": one.name, "title": one.title[session.language], "about": one.about[session.language]}
        for one in ready_systems().values()
    ]
    columns = session.page.columns("init", "system", "title", "about", elastic="about")
    lines = session.page.table(columns, [(row["system"], row["title"], row["about"]) for row in rows])
    session.answer({"systems": rows}, lines, rows="systems")


def _init_systems(session: Session, folder: Path, wanted: Mapping[str, bytes], systems: Sequence[str]) -> None:
    """Ready-made systems in a folder that is new, empty or a hub's; all of their files or none."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _HUB).is_file():
        raise Stop(exits.REFUSED, "NAVE-E219", folder=folder)
    if not (folder / _HUB).is_file():
        wanted = {**_frame(session), **wanted}
    written = _write(folder, wanted)
    session.answer(
        {"folder": str(folder), "example": None, "systems": list(systems), "files": written},
        _lines(session, folder, "ready", len(written), system=_first_system(wanted)),
    )


def _gathered(names: Sequence[str]) -> dict[str, bytes]:
    """The files of all named systems together; a Stop where a name is none, or two bring different files of one name."""
    from nave.config.readymade import ready_systems

    there = ready_systems()
    found: dict[str, bytes] = {}
    for name in dict.fromkeys(names):
        for path, content in _named(there, name).files():
            if found.setdefault(path, content) != content:
                raise Stop(exits.REFUSED, "NAVE-K381", file=path)
    return found


def _named(there: Mapping[str, Ready], name: str) -> Ready:
    if name not in there:
        raise Stop(exits.USAGE, "NAVE-K380", name=name[:80], near=nearest(name, list(there)))
    return there[name]


def _frame(session: Session) -> dict[str, bytes]:
    """What a hub needs besides its systems."""
    template = files("nave.cli").joinpath("starter")
    return {
        _HUB: template.joinpath(session.language, _HUB).read_bytes(),
        ".gitignore": template.joinpath("common", f"gitignore{_HIDDEN}").read_bytes(),
    }


def _write(folder: Path, wanted: Mapping[str, bytes]) -> list[str]:
    """Write what is not there yet; a Stop before anything is written where a file is there with other content."""
    for name, content in wanted.items():
        if (folder / name).exists() and (folder / name).read_bytes() != content:
            raise Stop(exits.REFUSED, "NAVE-K381", file=folder / name)
    new = [name for name in sorted(wanted) if not (folder / name).exists()]
    for name in new:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(wanted[name])
    return new


def _first_system(wanted: Mapping[str, bytes]) -> str:
    return min(Path(name).stem for name in wanted if name.startswith("systems/"))


def _starter(session: Session, folder: Path, _size: int, _seed: int) -> list[str]:
    """The small hub, with its comments in the user's language."""
    template = files("nave.cli").joinpath("starter")
    wanted: dict[str, bytes] = {}
    for part in ("common", session.language):
        wanted |= {name: source.read_bytes() for name, source in _walk(template.joinpath(part), "")}
    return _write(folder, wanted)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_file():
            yield prefix + (f".{entry.name.removesuffix(_HIDDEN)}" if entry.name.endswith(_HIDDEN) else entry.name), entry
        else:
            yield from _walk(entry, f"{prefix}{entry.name}/")


def _plant(name: str, _session: Session, folder: Path, size: int, seed: int) -> list[str]:
    """An example of the plant, with all that its systems hold."""
    from nave.config.plant import generate, write_example

    written = write_example(folder, name)
    generate(folder, size=size, seed=seed, example=name)
    return sorted(path.relative_to(folder).as_posix() for path in written)


_STEPS = {
    "starter": (
        "nave check",
        "nave test",
        "nave sync shop.customers --file samples/customers.csv",
        "nave show customer/000123",
    ),
    "plant": ("nave check", "nave test", "nave run --until-idle", "nave dead list"),
    "plant-systems": ("README.md", "nave check", "nave test", "nave run"),
    "plant-tryton": ("README.md", "nave check", "nave test", "nave run"),
    "ready": ("systems/{system}.yaml", "nave connector check {system}", "nave check", "nave test"),
}
_MAKERS: dict[str, Callable[[Session, Path, int, int], list[str]]] = {
    "": _starter,
    "plant": partial(_plant, "plant"),
    "plant-systems": partial(_plant, "plant-systems"),
    "plant-tryton": partial(_plant, "plant-tryton"),
}


def _lines(session: Session, folder: Path, kind: str, count: int, system: str = "") -> Iterator[str]:
    words = session.words
    yield words("init.done", count=count, folder=folder)
    yield ""
    yield words("init.next")
    steps = [(step.format(system=system), words(f"init.{kind}.{number}")) for number, step in enumerate(_STEPS[kind], 1)]
    here = [] if folder == Path() else [(f"cd {folder}", "")]
    yield from session.page.pairs([*here, *steps])
