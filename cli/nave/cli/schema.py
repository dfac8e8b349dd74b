"""`nave schema export`: JSON Schemas of every file of a hub folder, for editors."""

from __future__ import annotations

import json
from pathlib import Path

from nave.cli.session import Session
from nave.config import export_schemas
from nave.core.registry import connector, find_connectors
from nave.mappings import MappingSpec, TestFile


def export(session: Session, *, folder: Path | None) -> None:
    """Write one file per schema into a folder, or show them all."""
    schemas = export_schemas([connector(name) for name in find_connectors()], mapping=MappingSpec, test=TestFile)
    if folder is None:
        text = json.dumps(schemas, ensure_ascii=False, indent=2)
        session.answer({"schemas": schemas}, [text])
        return
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.schema.json" for name in schemas}
    for name, path in files.items():
        path.write_text(json.dumps(schemas[name], ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    lines = [*map(str, files.values()), "", session.words("schema.editor", path=files["system"])]
    session.answer({"files": {name: str(path) for name, path in files.items()}}, lines)
