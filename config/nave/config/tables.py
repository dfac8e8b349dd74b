"""Reads the value tables (数据对照) of a hub folder: CSV with a header row, in UTF-8 or GB18030."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

from nave.config.composer import read
from nave.config.problems import Problem, shown

MAX_BYTES = 16 * 1024 * 1024
_MAX_PROBLEMS = 20
_ENCODINGS = ("utf-8-sig", "gb18030")

Table = list[dict[str, str]]


def load_table(folder: Path, file: str) -> tuple[Table, list[Problem]]:
    """All rows as text, by column; rows that do not fit their header are problems and left out."""
    content = read(folder, file, MAX_BYTES)
    if isinstance(content, Problem):
        return [], [content]
    text = _decoded(content)
    if text is None:
        return [], [Problem(file, 1, 1, "NAVE-C004", params={"offset": 0})]
    return _parsed(file, text)


def _decoded(content: bytes) -> str | None:
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _parsed(file: str, text: str) -> tuple[Table, list[Problem]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = text.splitlines()
    rows: Table = []
    problems: list[Problem] = []
    begin = 1
    try:
        header = next(reader, [])
        problems += _header_problems(file, header, lines)
        begin = reader.line_num + 1
        for row in reader:
            if len(row) == len(header):
                rows.append(dict(zip(header, row, strict=True)))
            elif row and len(problems) < _MAX_PROBLEMS:
                problems.append(_at(file, begin, lines, "NAVE-C071", found=len(row), expected=len(header)))
            begin = reader.line_num + 1
    except csv.Error as error:
        problems.append(_at(file, begin, lines, "NAVE-C073", reason=str(error)))
    return rows, problems


def _header_problems(file: str, header: list[str], lines: list[str]) -> list[Problem]:
    if not any(name.strip() for name in header):
        return [_at(file, 1, lines, "NAVE-C070")]
    twice = [name for name, count in Counter(header).items() if count > 1]
    return [_at(file, 1, lines, "NAVE-C072", column_name=shown(name)) for name in twice]


def _at(file: str, line: int, lines: list[str], code: str, **params: object) -> Problem:
    source = lines[line - 1] if line <= len(lines) else ""
    return Problem(file, line, 1, code, "error", params, source, max(1, len(source)))
