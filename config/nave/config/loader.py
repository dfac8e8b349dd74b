"""Reads a hub folder: every file, every name in it, and every problem at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nave.config import checks, composer
from nave.config.document import Document
from nave.config.draft import Draft, near
from nave.config.entities import read_entity
from nave.config.hubfile import HubFile
from nave.config.outside import Filled, Outside
from nave.config.problems import Problem, in_order, shown
from nave.config.scoring import is_model
from nave.config.shapes import EntityRules, HubConfig, Loaded, SystemConfig
from nave.config.systems import Registry, read_system
from nave.config.tables import SUFFIXES, PolicyFile, Table, load_table, with_policy
from nave.core import registry as core_registry
from nave.core.entities import shipped

HUB_FILE = "hub.yaml"
_TEST = ".test"
_YAML = ".yaml"


def load(
    folder: Path | str, *, registry: Registry = core_registry.connector, environ: Mapping[str, str] | None = None
) -> Loaded:
    """Read and check the hub in `folder`, without touching any network; never raises for what is in the files."""
    root = Path(folder).absolute()
    reading = _Reading(root, registry, Outside(root, os.environ if environ is None else environ))
    partial = reading.hub_config()
    problems = in_order(reading.all_problems())
    wrong = any(problem.severity == "error" for problem in problems)
    return Loaded(None if wrong else partial, partial, problems)


@dataclass
class _Reading:
    """One pass over a folder, and the problems found so far."""

    root: Path
    registry: Registry
    outside: Outside
    problems: list[Problem] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)

    def hub_config(self) -> HubConfig:
        """All that the folder says, as far as it can be read."""
        hub = self._draft(HUB_FILE) if self._is_hub() else None
        files = {folder: dict(self._files(folder)) for folder in ("systems", "entities", "mappings")}
        mappings = {name: self._draft(file, fill=False) for name, file in files["mappings"].items()}
        tests = {name.removesuffix(_TEST): mappings.pop(name) for name in list(mappings) if name.endswith(_TEST)}
        systems = {name: self._draft(file) for name, file in files["systems"].items()}
        entities = {name: self._draft(file) for name, file in files["entities"].items()}
        tables = dict(self._tables())
        names = checks.Folder(systems, {*shipped(), *entities}, mappings, tests, tables)
        names.check()
        self._warn_of_tables(names)
        for key, group in (("system", systems), ("entity", entities), ("mapping", mappings)):
            for name, draft in group.items():
                checks.check_name(draft, key, name)
        return self._assembled(
            hub,
            self._systems(systems),
            self._entities(entities, systems),
            checks.documents({"hub": hub} if hub else {}, systems, entities, mappings, tests),
            (mappings, tests),
            tables,
        )

    def all_problems(self) -> list[Problem]:
        return [*self.problems, *(problem for draft in self.drafts for problem in draft.safe_problems())]

    def _is_hub(self) -> bool:
        if (self.root / HUB_FILE).is_file():
            return True
        here = [entry.name for entry in self.root.iterdir()] if self.root.is_dir() else []
        guess = near(HUB_FILE, here)
        self.problems.append(Problem(HUB_FILE, 1, 1, "NAVE-C001", params={"folder": self.root.name}, near=guess))
        return False

    def _draft(self, file: str, *, fill: bool = True) -> Draft:
        found, problems = composer.load(self.root, file)
        draft = Draft(self.outside.fill(found) if fill else Filled(found, found.data))
        draft.problems += problems
        if not problems and not isinstance(found.data, dict):
            draft.report("NAVE-C019", value=shown(found.data))
        self.drafts.append(draft)
        return draft

    def _files(self, folder: str, *suffixes: str) -> Iterator[tuple[str, str]]:
        """Name and path of every file in one of the hub's folders; what is there and not read is a warning."""
        base = self.root / folder
        for path in sorted(base.rglob("*") if base.is_dir() else ()):
            inner = path.relative_to(base)
            if path.is_dir() or any(part.startswith((".", "_")) for part in inner.parts) or is_model(folder, path.name):
                continue
            file = path.relative_to(self.root).as_posix()
            deep = folder != "mappings" and len(inner.parts) > 1
            if deep or path.suffix not in (suffixes or (_YAML,)):
                self._ignored(file, folder, ", ".join(suffixes) or _YAML)
            else:
                yield inner.as_posix().removesuffix(path.suffix), file

    def _ignored(self, file: str, folder: str, suffix: str) -> None:
        if not file.lower().endswith((".md", ".txt")):
            params = {"folder": folder, "suffix": suffix}
            self.problems.append(Problem(file, 1, 1, "NAVE-C031", "warning", params=params))

    def _tables(self) -> Iterator[tuple[str, Table]]:
        """Every table with its policy; a policy without a table, and a table in a second file, are not read."""
        files = list(self._files("tables", *SUFFIXES, _YAML))
        rules = {name: file for name, file in files if file.endswith(_YAML)}
        seen: set[str] = set()
        for name, file in files:
            if file.endswith(SUFFIXES) and name not in seen:
                seen.add(name)
                rows, problems = load_table(self.root, file)
                self.problems += problems
                yield name, with_policy(rows, self._policy(name, rules[name]) if name in rules else None)
            elif name not in {one for one, other in files if other.endswith(SUFFIXES)} or not file.endswith(_YAML):
                self._ignored(file, "tables", ", ".join(SUFFIXES))

    def _policy(self, name: str, file: str) -> PolicyFile | None:
        draft = self._draft(file)
        checks.check_name(draft, "table", name)
        return draft.check(PolicyFile, draft.data) if draft.usable else None

    def _warn_of_tables(self, names: checks.Folder) -> None:
        for name in names.unused_tables():
            self.problems.append(Problem(f"tables/{name}.csv", 1, 1, "NAVE-C065", "warning", params={"name": name}))

    def _systems(self, drafts: Mapping[str, Draft]) -> dict[str, SystemConfig]:
        found = {name: read_system(draft, self.registry) if draft.usable else None for name, draft in drafts.items()}
        return {name: system for name, system in found.items() if system}

    def _entities(self, drafts: Mapping[str, Draft], systems: Mapping[str, Draft]) -> dict[str, EntityRules]:
        names = {*shipped(), *drafts}
        rules = {name: EntityRules(entity) for name, entity in shipped().items()}
        for name, draft in drafts.items():
            found = read_entity(draft, systems, names, self.root) if draft.usable else None
            if found is not None:
                rules[name] = found
        return rules

    def _assembled(
        self,
        hub: Draft | None,
        systems: Mapping[str, SystemConfig],
        entities: Mapping[str, EntityRules],
        documents: Mapping[str, Document],
        mappings: tuple[Mapping[str, Draft], Mapping[str, Draft]],
        tables: Mapping[str, Table],
    ) -> HubConfig:
        file = self._hub_file(hub)
        mapped, tests = ({name: draft.document for name, draft in group.items()} for group in mappings)
        return HubConfig(
            self.root,
            file.hub,
            file.title.model_dump(exclude_none=True),
            self._store(file.store),
            file.broker,
            file.http,
            file.retention,
            file.limits,
            systems,
            entities,
            mapped,
            tests,
            tables,
            documents,
            file.closed.until if file.closed else None,
            file.audit,
        )

    def _hub_file(self, hub: Draft | None) -> HubFile:
        found = None
        if hub is not None and hub.usable:
            hub.check_passwords()
            hub.check_secrets(HubFile, hub.data, ())
            found = hub.check(HubFile, hub.data)
        return found or HubFile.model_construct(hub=self.root.name)

    def _store(self, url: str) -> str:
        """A relative SQLite file lies in the hub's folder, wherever the hub is started."""
        scheme, separator, path = url.partition(":///")
        if not scheme.startswith("sqlite") or not path or path.startswith(("/", ":", "file:")):
            return url
        return f"{scheme}{separator}{self.root / path}"
