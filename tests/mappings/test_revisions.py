"""What orders revisions: the texts that `revision_rank` gives sort as revisions follow one another."""

from __future__ import annotations

import pytest

from nave.core.errors import PermanentError
from nave.mappings.filters.revisions import revision_rank

_FOLLOW = ["-", "-.1", "1", "2", "2.1", "2.10", "10", "A", "A.1", "A1B", "A.2", "A.10", "B", "Z", "AA", "AB", "ZZ", "AAA"]


def test_revisions_sort_as_they_follow_one_another() -> None:
    ranks = [revision_rank(one) for one in _FOLLOW]

    assert None not in ranks
    assert sorted(ranks, key=str) == ranks
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Rev. B", "B"),
        ("rev b", "B"),
        ("V1.0", "1.0"),
        ("Ｖ２", "2"),
        ("第3版", "3"),
        ("B版", "B"),
        ("01", "1"),
        ("A-2", "A.2"),
        ("V", "V"),
    ],
    ids=["rev", "small", "v", "wide", "chinese", "edition", "zeros", "dash", "letter"],
)
def test_one_revision_in_several_ways_of_writing_is_the_same(text: str, same: str) -> None:
    assert revision_rank(text) == revision_rank(same)


@pytest.mark.parametrize(
    "text",
    ["甲", "A+", "B;1", "=1", "A" * 41, "--", "."],
    ids=["character", "plus", "semicolon", "equals", "long", "dashes", "dot"],
)
def test_what_nobody_can_order_is_refused(text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        revision_rank(text)

    assert caught.value.code == "NAVE-K430"


def test_no_revision_has_no_rank() -> None:
    assert revision_rank("") is None
    assert revision_rank("  ") is None
