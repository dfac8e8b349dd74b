"""Checks what no single file can tell: that the names in one file stand for something in the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nave.config.document import Document, Steps
from nave.config.draft import Draft
from nave.config.notation import is_name
from nave.config.problems import shown
from nave.core.told import NAME as RECEIPT


@dataclass(frozen=True)
class Flow:
    """A source or sink as its file has it, whether or not the rest of it is in order."""

    draft: Draft
    section: str
    name: str
    full: str
    data: Mapping[str, Any]

    @property
    def path(self) -> Steps:
        return (self.section, self.name)

    def text(self, key: str) -> str | None:
        value = self.data.get(key)
        return value if isinstance(value, str) else None


def flows(systems: Mapping[str, Draft]) -> Iterator[Flow]:
    """Every source and sink of every system, by the name its file has."""
    for system, draft in systems.items():
        for section in ("sources", "sinks"):
            parts = draft.data.get(section) if draft.usable else None
            for name, data in parts.items() if isinstance(parts, dict) else ():
                if isinstance(data, dict):
                    yield Flow(draft, section, name, f"{system}.{name}", data)


def _told(found: Sequence[Flow]) -> Iterator[tuple[Flow, Steps, str]]:
    """The mappings of receipts that sources name, with the place where they do."""
    for flow in found:
        inner: Any = flow.data
        path = ("receipt", "callback", "mapping")
        for step in path:
            inner = inner.get(step) if isinstance(inner, Mapping) else None
        if flow.section == "sources" and isinstance(inner, str):
            yield flow, (*flow.path, *path), inner


@dataclass(frozen=True)
class Folder:
    """All names of a hub folder, and the drafts in which problems are noted."""

    systems: Mapping[str, Draft]
    entities: Collection[str]
    mappings: Mapping[str, Draft]
    tests: Mapping[str, Draft]
    tables: Collection[str]

    def check(self) -> None:
        """Note every name that stands for nothing, and everything that nobody uses."""
        found = list(flows(self.systems))
        for flow in found:
            self._check_flow(flow)
        self._check_tests()
        told = list(_told(found))
        for flow, path, mapping in told:
            self._check_told(flow, path, mapping)
        if self._complete():
            self._check_mappings(found, {mapping for _, _, mapping in told})
        for draft in self.systems.values():
            _check_connections(draft)

    def _complete(self) -> bool:
        """Whether every file could be read; else nobody can tell what is not used."""
        return all(draft.usable for group in (self.systems, self.mappings) for draft in group.values())

    def unused_tables(self) -> list[str]:
        """Tables that no mapping names."""
        if not self._complete():
            return []
        text = "\n".join(line for draft in self.mappings.values() for line in draft.document.lines)
        return [name for name in self.tables if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]

    def _check_flow(self, flow: Flow) -> None:
        entity, mapping = flow.text("entity"), flow.text("mapping")
        if entity is not None and entity not in self.entities:
            flow.draft.unknown("NAVE-C052", (*flow.path, "entity"), entity, self.entities)
        if mapping is not None and mapping not in self.mappings:
            flow.draft.unknown("NAVE-C051", (*flow.path, "mapping"), mapping, self.mappings)
        elif mapping is not None and entity in self.entities and is_name(flow.name):
            self._check_ends(flow, self.mappings[mapping])

    def _check_ends(self, flow: Flow, mapping: Draft) -> None:
        """The mapping must start and end where the source or sink that uses it does."""
        if not mapping.usable:
            return
        ends = (flow.full, flow.text("entity")) if flow.section == "sources" else (flow.text("entity"), flow.full)
        for key, expected in zip(("from", "to"), ends, strict=True):
            said = mapping.data.get(key)
            names = said if isinstance(said, list) else [said]
            if said is not None and expected not in names:
                mapping.report("NAVE-C054", (key,), key_name=key, said=shown(said), name=flow.full, expected=expected)

    def _check_told(self, flow: Flow, path: Steps, name: str) -> None:
        """A mapping of receipts comes from receipts, and goes to the source that they are about."""
        if name not in self.mappings:
            flow.draft.unknown("NAVE-C051", path, name, self.mappings)
            return
        mapping = self.mappings[name]
        for key, expected in (("from", RECEIPT), ("to", flow.full)) if mapping.usable else ():
            said = mapping.data.get(key)
            if said is not None and said != expected:
                mapping.report("NAVE-C054", (key,), key_name=key, said=shown(said), name=flow.full, expected=expected)

    def _check_mappings(self, found: list[Flow], told: Collection[str]) -> None:
        used = {*(flow.text("mapping") for flow in found), *told}
        ends = {*self.entities, RECEIPT, *(flow.full for flow in found)}
        for name, draft in self.mappings.items():
            if name in used:
                continue
            for key in ("from", "to"):
                said = draft.data.get(key)
                if isinstance(said, str) and said not in ends:
                    draft.unknown("NAVE-C067", (key,), said, ends)
            draft.report("NAVE-C064", ("mapping",), severity="warning", name=name)

    def _check_tests(self) -> None:
        for name, draft in self.tests.items():
            if name not in self.mappings:
                draft.unknown("NAVE-C063", (), name, self.mappings)


def _check_connections(draft: Draft) -> None:
    data = draft.data if draft.usable else {}
    used = {part.get(key) for key, part in _uses(data)}
    connections = data.get("connections")
    for name in connections if isinstance(connections, dict) else ():
        if name not in used:
            draft.report("NAVE-C066", ("connections", name), key=True, severity="warning", name=name)


def _uses(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for section, key in (("sources", "from"), ("sinks", "to")):
        parts = data.get(section)
        for part in parts.values() if isinstance(parts, dict) else ():
            if isinstance(part, dict):
                yield key, part
                receipt = part.get("receipt")
                told = receipt.values() if isinstance(receipt, dict) else ()
                yield from (("to", one) for one in told if isinstance(one, dict))


def check_name(draft: Draft, key: str, expected: str) -> None:
    """A file's name says what is in it."""
    said = draft.data.get(key) if draft.usable else None
    if isinstance(said, str) and said != expected:
        draft.report("NAVE-C030", (key,), said=shown(said), expected=expected)


def documents(*groups: Mapping[str, Draft]) -> dict[str, Document]:
    """All documents by file."""
    return {draft.document.file: draft.document for group in groups for draft in group.values()}
