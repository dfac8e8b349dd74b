"""A sketch rules out what cannot be alike, and never what is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.core.matching import COMPARISONS, Block, FieldModel, Level, MatchModel, Scorer
from nave.core.matching.sketches import KINDS
from nave.core.matching.terms import Terms

_THERE = 1 << 23
_TERMS = Terms({"pump": 0.2, "号": 0.5, "red": 0.05}, 0.0005)
_WORDS = """
上海 苏州市 江苏 北京 盈硕 盈碩 盈朔 恒达 标牌 标牌科技 机械 有限公司 有限责任公司 上海分公司 北京分公司 分公司
acme ltd trading branch pump pumps red reds redd AB-1234 AB-12345 44721 12 13 路 号 2026-03-04 2026-04-03 1999-12-31
"""
_PARTS = _WORDS.split()
_LETTERS = "0123456789ab路海. -"


@st.composite
def two(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts, most often with few differences."""
    one = draw(st.lists(st.sampled_from(_PARTS), min_size=1, max_size=5))
    other = draw(st.one_of(st.permutations(one), st.lists(st.sampled_from(_PARTS), min_size=1, max_size=5), st.just(one)))
    between = draw(st.sampled_from(["", " "]))
    return between.join(one), _slipped(between.join(other), draw(st.integers(0, 2)), draw(st.randoms(use_true_random=False)))


digits = st.tuples(st.text("0123456789", min_size=5, max_size=13), st.integers(0, 2), st.randoms(use_true_random=False)).map(
    lambda one: (one[0], _slipped(one[0], one[1], one[2]))
)
_NAMES = ["anna", "hanna", "jo", "jonas", "marion", "martha", "li", "wang", "李", "王"]
people = st.tuples(
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3),
    st.integers(0, 3),
    st.booleans(),
    st.randoms(use_true_random=False),
).map(lambda one: (" ".join(one[0]), _slipped(" ".join(one[0][1:] if one[2] else one[0]), one[1], one[3])))
days = st.tuples(st.dates(), st.integers(-40, 40)).map(
    lambda one: (one[0].isoformat(), type(one[0]).fromordinal(max(1, one[0].toordinal() + one[1])).isoformat())
)


def _slipped(text: str, slips: int, chance: random.Random) -> str:
    for _ in range(slips):
        at = chance.randrange(len(text) + 1)
        letter = chance.choice(_LETTERS)
        swapped = text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        before, after = text[:at], text[at + 1 :]
        text = chance.choice((before + letter + text[at:], before + letter + after, before + after, swapped))
    return text


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=60)
@given(texts=st.one_of(two(), digits, days, people))
def test_no_value_comes_nearer_than_its_sketch_allows(kind: str, texts: tuple[str, str]) -> None:
    comparison, sketched = COMPARISONS[kind], KINDS[kind]
    one, other = (comparison.prepare(text, _TERMS) for text in texts)
    if one is None or other is None:
        return
    level = comparison.level(one, other) % comparison.run

    mine, their = (sketched.make(value) | _THERE for value in (one, other))

    assert max(mine, their) < 2 * _THERE
    assert sketched.nearest(one, mine)(their) <= level
    assert sketched.nearest(other, their)(mine) <= level


def _field(name: str, compare: str, m: float, rare: float = 0.001) -> FieldModel:
    names = COMPARISONS[compare].levels
    levels = tuple(Level(level, m / (at + 1), 0.01 * (at + 1)) for at, level in enumerate(names))
    return FieldModel(name, compare, levels, rare, {"pump": 0.2})


def _scorer(m: float) -> Scorer:
    fields = tuple(_field(name, kind, m) for name, kind in zip("abcdefgh", COMPARISONS, strict=True))
    return Scorer(MatchModel("customer", 1000, 0.001, fields, (Block(("a:value",)),)))


SCORERS = [_scorer(0.9), _scorer(0.05), _scorer(0.004)]
"""Fields of every kind that speak much, little, and against."""
texts = st.lists(st.sampled_from(_PARTS), max_size=4).map(" ".join)
documents = st.fixed_dictionaries({}, optional=dict.fromkeys("abcdefgh", texts))


@settings(max_examples=120)
@given(st.sampled_from(SCORERS), documents, documents, st.sets(st.sampled_from("abcdefgh")), st.floats(0, 1))
def test_what_scores_enough_is_never_ruled_out(scorer, a, b, alike, below):
    b = b | {name: a[name] for name in alike if name in a}
    one, other = scorer.prepare(a), scorer.prepare(b)
    score = scorer.score(one, other)

    for least in (score, score * below):
        assert scorer.hopeful(one, scorer.sketch(one), least)(scorer.sketch(other))
        assert scorer.hopeful(other, scorer.sketch(other), least)(scorer.sketch(one))


_SHARES = {"phone": "digits", "name": "company", "born": "date", "street": "text", "code": "exact", "who": "name"}
FIELDS = tuple(_field(name, kind, 0.9) for name, kind in _SHARES.items())
PLAIN = Scorer(MatchModel("customer", 1000, 0.001, FIELDS, (Block(("code:value",)),)))
FULL = {"phone": "021-55512345", "name": "上海盈硕标牌公司", "born": "1971-05-06", "street": "盈嘉路44721号"}
FULL |= {"code": "x", "who": "li ming"}


@pytest.mark.parametrize(
    ("field", "near", "far"),
    [
        ("phone", "021-55512354", "021-77700099"),
        ("name", "盈硕标牌", "北京盈硕标牌公司"),
        ("born", "1971-05-26", "1984-11-23"),
        ("street", "盈嘉路44721", "永隆巷9号"),
        ("code", "X", "y"),
        ("who", "lee min", "zhao guo"),
    ],
)
def test_a_value_that_is_quite_another_is_told_by_its_sketch(field: str, near: str, far: str) -> None:
    one, kind = PLAIN.prepare(FULL), KINDS[_SHARES[field]]
    place = list(_SHARES).index(field)
    value = one[place][0]
    nearest = kind.nearest(value, kind.make(value) | _THERE)

    reached = [nearest(kind.make(PLAIN.prepare({field: text})[place][0]) | _THERE) for text in (near, far)]

    assert reached[0] < reached[1]


def test_what_has_no_sketch_or_one_of_other_fields_is_not_ruled_out() -> None:
    one = PLAIN.prepare(FULL)
    may = PLAIN.hopeful(one, PLAIN.sketch(one), 0.999999)
    stranger = PLAIN.prepare({"phone": "021-77700099", "code": "y"})
    other = Scorer(MatchModel("customer", 1000, 0.001, FIELDS[::-1], PLAIN.model.blocks))

    assert not may(PLAIN.sketch(stranger))
    assert may(None)
    assert may(other.sketch(stranger[::-1]))
