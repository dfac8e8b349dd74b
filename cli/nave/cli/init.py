"""`nave init`: a small hub to begin with, or the example plant, in a folder that is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.session import Session

_HIDDEN = ".in-git"
"""Stands for a leading dot, which packaging tools are apt to leave out."""


def init(session: Session, *, folder: Path, example: str | None, size: int, seed: int) -> None:
    """Write the files of a hub, and say what to do next."""
    if folder.exists() and any(folder.iterdir()):
        raise Stop(exits.REFUSED, "NAVE-E219", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = _MAKERS[example or ""](session, folder, size, seed)
    data = {"folder": str(folder), "example": example, "files": written}
    session.answer(data, _lines(session, folder, example, len(written)))


def _starter(session: Session, folder: Path, _size: int, _seed: int) -> list[str]:
    """The small hub, with its comments in the user's language."""
    template = files("nave.cli").joinpath("starter")
    written: list[str] = []
    for part in ("common", session.language):
        for name, source in _walk(template.joinpath(part), ""):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
            written.append(name)
    return sorted(written)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_file():
            yield prefix + (f".{entry.name.removesuffix(_HIDDEN)}" if entry.name.endswith(_HIDDEN) else entry.name), entry
        else:
            yield from _walk(entry, f"{prefix}{entry.name}/")


def _plant(_session: Session, folder: Path, size: int, seed: int) -> list[str]:
    """The example plant, with all that its five systems hold."""
    from nave.config.plant import generate, write_example

    written = write_example(folder)
    generate(folder, size=size, seed=seed)
    return sorted(path.relative_to(folder).as_posix() for path in written)


_STEPS = {
    "starter": (
        "nave check",
        "nave test",
        "nave sync shop.customers --file samples/customers.csv",
        "nave show customer/000123",
    ),
    "plant": ("nave check", "nave test", "nave run --until-idle", "nave dead list"),
}
_MAKERS: dict[str, Callable[[Session, Path, int, int], list[str]]] = {"": _starter, "plant": _plant}


def _lines(session: Session, folder: Path, example: str | None, count: int) -> Iterator[str]:
    words = session.words
    yield words("init.done", count=count, folder=folder)
    yield ""
    yield words("init.next")
    kind = example or "starter"
    steps = [(step, words(f"init.{kind}.{number}")) for number, step in enumerate(_STEPS[kind], 1)]
    here = [] if folder == Path() else [(f"cd {folder}", "")]
    yield from session.page.pairs([*here, *steps])
