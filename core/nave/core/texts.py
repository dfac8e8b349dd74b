"""Every text that Nave shows a person, in every language it speaks, looked up by a stable code.

The catalogue is one TOML file per family of codes, both languages side by side, so that a translation is never out of
sight of its original; a test refuses a code without Chinese, or with other placeholders than the English.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "zh")
DEFAULT_LANGUAGE = "en"


@cache
def catalogue() -> dict[str, dict[str, dict[str, str]]]:
    """All entries: code -> part (`text`, `help`, `explain`) -> language -> template."""
    entries: dict[str, Any] = {}
    for file in sorted(files("nave.core").joinpath("messages").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            entries.update(tomllib.loads(file.read_text(encoding="utf-8")))
    return entries


def message(code: str, part: str, language: str, **params: object) -> str:
    """Fill the template of `code`; an absent part is the empty text, an unknown code shows itself and its values."""
    entry = catalogue().get(code)
    if entry is None:
        return f"{code} {params}" if part == "text" else ""
    texts = entry.get(part, {})
    template = texts.get(language) or texts.get(DEFAULT_LANGUAGE, "")
    return template.format_map(_Shown(params)) if template else ""


class _Shown(dict[str, object]):
    """Values for a template: a missing one is visible in the text and never hides the error behind a KeyError."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"
