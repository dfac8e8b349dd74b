"""A filter that makes revisions comparable, for records that say which revision they are but not when it was made."""

from __future__ import annotations

import re
import unicodedata

from nave.core.errors import PermanentError
from nave.mappings.filters.row import Example, Filter, plain
from nave.mappings.problems import shown

_LONGEST = 40
_AROUND = re.compile(r"^(?:REVISION|REV|VERSION|VER|V(?=[. ]*\d)|第)[. ]*|(?:版本|版|次)$")
"""What people write before and behind a revision: Rev. B, V1.0, 第3版."""
_FORM = re.compile(r"-?(?:[A-Z]+|[0-9]+)?(?:[ ._/-]*(?:[A-Z]+|[0-9]+))*[ ._/-]*")
_RUN = re.compile(r"[A-Z]+|[0-9]+")


def revision_rank(text: str) -> str | None:
    """A text that sorts as revisions follow one another: - before 1, 2, 10 before A, B, Z before AA, and A before A.1, A.2.

    Nothing for empty text; NAVE-K430 for what is neither letters nor digits.
    """
    whole = unicodedata.normalize("NFKC", text[: _LONGEST + 1]).upper().strip()
    plain_form = _AROUND.sub("", _AROUND.sub("", whole)).strip()
    if not whole:
        return None
    if not plain_form or len(whole) > _LONGEST or not plain_form.isascii() or not _FORM.fullmatch(plain_form):
        raise PermanentError("NAVE-K430", value=shown(text))
    runs = [_rank(run) for run in _RUN.findall(plain_form)]
    if not runs and plain_form != "-":
        raise PermanentError("NAVE-K430", value=shown(text))
    return ".".join(["-", *runs] if plain_form.startswith("-") else runs)


def _rank(run: str) -> str:
    """Digits before letters; the shorter before the longer."""
    short = run.lstrip("0") if run.isdigit() else run
    return f"{'d' if run.isdigit() else 'l'}{len(short):02d}{short}"


REVISION_FILTERS: tuple[Filter, ...] = (
    Filter(
        "revision_rank",
        "revision_rank",
        "a text that sorts as revisions follow one another, for `version`: - before 1, 2, 10 before A, B, Z before AA",
        "按版本先后排序的文本，用于 `version`：- 先于 1、2、10，数字先于 A、B，Z 先于 AA",
        (
            Example("A | revision_rank", {"A": "B"}, "l01B"),
            Example("A | revision_rank", {"A": "Rev. AA.10"}, "l02AA.d0210"),
            Example("A | revision_rank", {"A": "第3版"}, "d013"),
            Example("A | revision_rank", {"A": "-"}, "-"),
        ),
        plain(revision_rank),
        takes="text",
        gives="text",
        grows=True,
    ),
)
