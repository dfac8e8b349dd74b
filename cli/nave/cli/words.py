"""The command line's own texts, in the language that its user speaks.

They are no part of the core's catalogue of errors, which takes as long to read as the rest of `nave --help`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nave.core.texts import DEFAULT_LANGUAGE, LANGUAGES

_COMMAS = {"en": ", ", "zh": "，"}
_LOCALES = ("LC_ALL", "LC_MESSAGES", "LANG")


@dataclass(frozen=True, slots=True)
class Words:
    """Texts of one language: `words("status.source")` is the one of that key in `words.toml`."""

    language: str = DEFAULT_LANGUAGE

    def __call__(self, key: str, **params: object) -> str:
        return _texts()[key][self.language].format_map(params)

    def known(self, key: str) -> bool:
        """Whether there is a text of that key."""
        return key in _texts()

    def named(self, family: str, word: str) -> str:
        """The text for one word of the store, `FAMILY.WORD`; a word that is new to this version shows as it is."""
        return self(f"{family}.{word}") if self.known(f"{family}.{word}") else word

    def listed(self, parts: Iterable[str]) -> str:
        """The parts one after another, with this language's comma."""
        return _COMMAS[self.language].join(parts)

    def counted(self, key: str, count: int, **params: object) -> str:
        """The text for one thing, `KEY.one`, or for any other number of them, `KEY.many`."""
        return self(f"{key}.one" if count == 1 else f"{key}.many", count=f"{count:,}", **params)


@cache
def _texts() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("nave.cli").joinpath("words.toml").read_text(encoding="utf-8"))


def language_of(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The language to speak: `--lang`, else NAVE_LANG, else the locale; English for all that Nave does not know."""
    for asked in (_option(arguments), environ.get("NAVE_LANG", ""), _locale(environ)):
        if asked[:2].lower() in LANGUAGES:
            return asked[:2].lower()
    return DEFAULT_LANGUAGE


def _option(arguments: Sequence[str]) -> str:
    """The value of the last `--lang`, read before the parser runs, because help is in that language too."""
    found = ""
    for place, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--lang" and place + 1 < len(arguments):
            found = arguments[place + 1]
        elif argument.startswith("--lang="):
            found = argument.partition("=")[2]
    return found


def _locale(environ: Mapping[str, str]) -> str:
    return next((environ[name] for name in _LOCALES if environ.get(name)), "")
