"""Text as matching sees it: width, case, accents, traditional characters and punctuation do not count."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

_NOISE = re.compile(r"[\W_]+")
_WORD = re.compile(r"[a-z0-9]+(?:[.\-/][a-z0-9]+)*|[^\W_a-z0-9]+")
_MARKS = re.compile(r"[\u0300-\u036f]+")
_HAN = re.compile(r"[\u3400-\u9fff]")


@cache
def _opencc() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")


def fold(text: str) -> str:
    """Lower case, half width, simplified characters, no accents; spaces and punctuation stay."""
    if text.isascii():
        return text.lower()
    if _HAN.search(text):
        text = _opencc().convert(text)
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return unicodedata.normalize("NFKC", _MARKS.sub("", decomposed)).lower()


def squash(text: str) -> str:
    """Folded, and nothing but letters and digits."""
    return _NOISE.sub("", fold(text))


def words(text: str) -> list[str]:
    """Folded words; inner dots, dashes and slashes are dropped; Chinese is cut into pairs of characters."""
    found: list[str] = []
    for match in _WORD.finditer(fold(text).replace("'", "").replace("’", "")):
        word = match[0]
        if _HAN.match(word):
            found += [word[at : at + 2] for at in range(len(word) - 1)] or [word]
        else:
            found.append(_NOISE.sub("", word))
    return found


def sounds(text: str) -> str:
    """Chinese characters by their commonest sound without tones; other text stays."""
    return text if text.isascii() else "".join(map(_sound, text))


@lru_cache(maxsize=16384)
def _sound(character: str) -> str:
    from pypinyin import lazy_pinyin

    return lazy_pinyin(character)[0]
