"""What a command is told besides its own arguments: the hub, the language, and where and how to answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import click

from nave.cli.page import Page
from nave.cli.words import Words

API_VERSION = "nave.cli/v1"
FORMS = ("table", "json", "yaml", "csv")


@dataclass(frozen=True)
class Session:
    """One command of one user. Data goes to stdout, everything else to stderr."""

    hub: Path | None = None
    words: Words = field(default_factory=Words)
    form: str = "table"
    color: str = "auto"
    utc: bool = False
    verbose: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def language(self) -> str:
        return self.words.language

    @property
    def human(self) -> bool:
        """Whether a person reads the answer, not a program."""
        return self.form == "table"

    @property
    def prompting(self) -> bool:
        """Whether somebody is there who can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def page(self) -> Page:
        """Where an answer for people is laid out."""
        return self._page(sys.stdout)

    @property
    def margin(self) -> Page:
        """Where notes beside the answer are laid out."""
        return self._page(sys.stderr)

    def _page(self, stream: TextIO) -> Page:
        room = None
        if self.environ.get("COLUMNS", "").isdigit():
            room = max(20, int(self.environ["COLUMNS"]))
        elif stream.isatty():
            room = max(20, os.get_terminal_size(stream.fileno()).columns)
        return Page(self.words, room, self.colored(stream), self.utc)

    def colored(self, stream: TextIO) -> bool:
        """Whether colours may be used on a stream."""
        if self.color != "auto":
            return self.color == "always"
        return stream.isatty() and not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb"

    def answer(self, data: Mapping[str, Any], lines: Iterable[str], *, rows: str | None = None) -> None:
        """Give the answer of a command, in the form that was asked for; `rows` names the part of it that is a table."""
        if self.human:
            for line in lines:
                click.echo(line)
        else:
            _WRITERS[self.form]({"apiVersion": API_VERSION, **data}, rows)

    def note(self, text: str = "") -> None:
        """Say something that is not data."""
        click.echo(text, err=True)

    def remark(self, key: str, **params: object) -> None:
        """Say one of the command line's texts beside the data."""
        self.note(self.words(key, **params))


def _write_json(data: Mapping[str, Any], _rows: str | None) -> None:
    import json

    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def _write_yaml(data: Mapping[str, Any], _rows: str | None) -> None:
    import json

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(json.loads(json.dumps(data, default=str)), sys.stdout)


def _write_csv(data: Mapping[str, Any], rows: str | None) -> None:
    import csv
    import json

    from nave.cli.failures import WrongUsage

    if rows is None:
        raise WrongUsage("usage.no_rows")
    listed: Sequence[Mapping[str, Any]] = data[rows]
    writer = csv.DictWriter(sys.stdout, list(listed[0]) if listed else [], lineterminator="\n")
    writer.writeheader()
    for row in listed:
        writer.writerow(
            {name: json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v for name, v in row.items()}
        )


_WRITERS = {"json": _write_json, "yaml": _write_yaml, "csv": _write_csv}
