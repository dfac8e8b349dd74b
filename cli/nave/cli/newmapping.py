"""`nave new mapping`: writes a mapping and its first test from a sample file, as far as names and values tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import find_folder, known, read
from nave.cli.mapped import from_file
from nave.cli.samples import guessed
from nave.cli.session import Session
from nave.config.problems import shown
from nave.formats import XmlFormat
from nave.mappings import Guess, guess

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def new_mapping(session: Session, *, name: str, sample: Path, entity: str, source: str | None, record: str | None) -> None:
    """Guess a mapping, and the source that it is for where nobody described it; files that are there are left alone (5)."""
    folder = find_folder(session)
    config = read(session).partial
    known(entity, config.entities, "NAVE-M039")
    source = source or name.strip("/").replace("/", ".", 1)
    files = [folder / "mappings" / f"{name}{suffix}" for suffix in (".yaml", ".test.yaml")]
    _refuse(folder, name, files)
    form = XmlFormat(record=record) if record else guessed(sample)
    records = list(from_file(sample, form))
    if not records:
        raise Stop(exits.PROBLEM, "NAVE-M040", file=sample.name)
    found = guess(records, config.entities[entity].entity)
    head = {"mapping": name, "from": source, "to": entity}
    whole = {**head, **_keys(found), "fields": dict(found.fields)}
    read_as = {"type": form.type, **form.model_dump(mode="json", exclude_defaults=True)} if form else None
    written = {files[0]: whole, files[1]: _first_case(records[0])}
    if source not in config.sources:
        written |= _system(folder, name, source, entity, sample, read_as)
    for path, content in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_yaml(content), encoding="utf-8")
    data = {
        "format": read_as,
        "files": [path.relative_to(folder).as_posix() for path in written],
        "source": source if len(written) > len(files) else None,
        "fields": list(found.fields),
        "unmatched": list(found.unmatched),
        "lacking": list(found.lacking),
    }
    session.answer(data, _lines(session, data, len(records), sample))


def _refuse(folder: Path, name: str, files: Sequence[Path]) -> None:
    """Nothing is overwritten, and nothing is written outside the hub's mappings."""
    base = (folder / "mappings").resolve()
    if not all(path.resolve().is_relative_to(base) for path in files) or not name.strip("/"):
        raise Stop(exits.USAGE, "NAVE-M041", name=shown(name))
    there = next((path for path in files if path.exists()), None)
    if there is not None:
        raise Stop(exits.REFUSED, "NAVE-M042", file=there.relative_to(folder).as_posix())


def _system(
    folder: Path, mapping: str, source: str, entity: str, sample: Path, read_as: Mapping[str, Any] | None
) -> dict[Path, dict[str, Any]]:
    """A system whose files come into a folder of their own; nothing where its file is there already."""
    system, _, short = source.partition(".")
    path = folder / "systems" / f"{system}.yaml"
    if path.exists() or not _NAME.fullmatch(system) or not _NAME.fullmatch(short):
        return {}
    described = {
        "entity": entity,
        "from": "drop",
        "pattern": f"*{sample.suffix.lower()}",
        "format": read_as or {"type": "csv"},
        "ready": {"quiet": "2s"},
        "mapping": mapping,
    }
    connections = {"drop": {"type": "files", "url": f"./drop/{system}"}}
    return {path: {"system": system, "connections": connections, "sources": {short: described}}}


def _keys(found: Guess) -> dict[str, str]:
    return {name: value for name, value in (("key", found.key), ("version", found.version)) if value}


def _first_case(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"cases": [{"name": "the first record of the sample", "given": dict(record), "expect": {}}]}


def _yaml(content: Mapping[str, Any]) -> str:
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.allow_unicode, yaml.width = False, True, 1_000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(_texts(content), stream)
    return stream.getvalue()


def _texts(value: Any) -> Any:
    """Values as a test file holds them: dates and exact numbers as text."""
    if isinstance(value, dict):
        return {str(name): _texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return value if isinstance(value, str | bool | int | None) else str(value)


def _lines(session: Session, data: Mapping[str, Any], count: int, sample: Path) -> Iterator[str]:
    words = session.words
    yield words("new.written", files=", ".join(data["files"]), count=count)
    if data["source"]:
        yield words("new.source", source=data["source"])
    elif data["format"] and data["format"] != {"type": sample.suffix.lower().lstrip(".")}:
        yield words("new.format", format="{" + ", ".join(f"{name}: {value}" for name, value in data["format"].items()) + "}")
    yield words("new.matched", fields=", ".join(data["fields"]) or "-")
    for name in ("unmatched", "lacking"):
        if data[name]:
            yield words(f"new.{name}", fields=", ".join(data[name]))
    yield words("new.try" if data["source"] else "new.next", sample=sample.name)
