"""Every filter meets values that were made to hurt: it answers or refuses, soon, and without much memory."""

from __future__ import annotations

import sys
import time
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest

from nave.core.errors import NaveError
from nave.mappings import MappingProblems
from nave.mappings.filters import filters
from tests.mappings.setting import inbound

SECONDS = 20.0
"""CPU time that one evaluation may take; the slowest takes two or three on a quiet machine."""
MEMORY = 256 * 2**20


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: dict[str, Any] = {
    "a long text": "x" * 1_000_000,
    "a text beyond the limit": "9" * 1_000_001,
    "long digits": "1" * 100_000,
    "a long wide text": "客" * 1_000_000,
    "full-width digits": "１" * 200_000,
    "spaces": " " * 1_000_000,
    "signs": "-" * 500_000 + "1",
    "separators": "1," * 300_000,
    "half a character": "\ud800" * 1_000,
    "zero bytes": "\x00" * 100_000,
    "what grows when it is normalised": "\ufdfa" * 200_000,
    "marks on one letter": "a" + "\u0301" * 300_000,
    "open brackets": "[" * 500_000,
    "open objects": '{"a":' * 100_000,
    "a huge exponent": "1e999999999",
    "a tiny exponent": "1e-999999999",
    "the word NaN": "NaN",
    "a huge int": 10**20_000,
    "a huge negative int": -(10**20_000),
    "NaN": Decimal("NaN"),
    "a NaN that signals": Decimal("sNaN"),
    "Infinity": Decimal("Infinity"),
    "minus Infinity": Decimal("-Infinity"),
    "a huge Decimal": Decimal("1E+999999"),
    "a tiny Decimal": Decimal("1E-999999"),
    "a long Decimal": Decimal("1." + "3" * 20_000),
    "a float": float("inf"),
    "a float that is none": float("nan"),
    "bytes": b"\xff\xfe",
    "a deep list": nested(60),
    "a wide list": ["x"] * 100_000,
    "a wider list": ["x"] * 100_001,
    "a list of NaN": [Decimal("NaN"), Decimal("-Infinity"), 1],
    "a list of NaN that signal": [Decimal("sNaN"), Decimal("-sNaN"), 1],
    "rows with NaN that signal": [{"A": Decimal("sNaN"), "B": Decimal("sNaN"), "NO": 1}, {"A": 1, "B": Decimal("sNaN")}],
    "a list of everything": [None, True, 1, Decimal("1.5"), "x", [], {}],
    "a list of one row": [{"A": "1", "B": "1", "C": "1", "@id": "1", "NO": "1"}] * 50_000,
    "rows that are their own parents": [{"A": "1", "B": "2", "C": []}, {"A": "2", "B": "1", "C": []}] * 5_000,
    "rows of huge keys": [{"A": "x" * 100_000, "B": "y" * 100_000, "NO": 10**5_000}] * 50,
    "a wide object": {str(number): "x" for number in range(50_000)},
    "an empty object": {},
    "null": None,
    "true": True,
    "an object with itself deep inside": {"A": {"A": {"A": nested(50)}}},
}

EXPRESSIONS = sorted({example.expression for row in filters().values() for example in row.examples})


def outcome(expression: str, value: Any) -> Any:
    """What an expression gives where every name in it is this value."""
    mapping = inbound({"other": f"({expression}) | text"})
    names = {steps[0] for steps in mapping.used if steps}
    return mapping.run([{str(name): value for name in names} | {"K": "1"}])[0]


def compiled(expression: str) -> bool:
    try:
        inbound({"other": f"({expression}) | text"})
    except MappingProblems:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_filter_answers_or_refuses_whatever_it_is_given(expression: str) -> None:
    if not compiled(expression):
        return
    slow: dict[str, float] = {}
    for name, value in HOSTILE.items():
        begin = time.thread_time()
        given = outcome(expression, value)
        slow[name] = time.thread_time() - begin

        assert given is not None, name
        if isinstance(given, NaveError):
            assert given.code != "NAVE-M100", f"{name}: a bug, not a refusal: {given.__cause__!r}"
            assert len(given.text("zh")) < 2_000, name
    worst = max(slow, key=slow.__getitem__)
    assert slow[worst] < SECONDS, f"{worst}: {slow[worst]:.1f} s"


OPERATIONS = [
    "A + 1", "1 - A", "A * A", "1 / A", "A // A", "A % 1", "-A", "A ~ 'x'", "A == 1", "A != A", "A < 1", "1 >= A",
    "A in [1, 2]", "1 in A", "A == [A]", "'x' if A else 'y'", "'x' if not A else 'y'", "'x' if A is number else 'y'",
]  # fmt: skip
NUMBERS = [name for name, value in HOSTILE.items() if isinstance(value, int | Decimal | list)]


@pytest.mark.parametrize("expression", OPERATIONS)
def test_an_operator_answers_or_refuses_whatever_number_it_is_given(expression: str) -> None:
    given = {name: outcome(expression, HOSTILE[name]) for name in NUMBERS}

    bugs = {name: one.__cause__ for name, one in given.items() if isinstance(one, NaveError) and one.code == "NAVE-M100"}
    assert bugs == {}


@pytest.mark.parametrize("spec", [{"key": "A"}, {"key": ["A", "A"]}, {"version": "A"}, {"changed_at": "A"}, {"when": "A"}])
def test_keys_and_versions_answer_or_refuse_too(spec: dict[str, Any]) -> None:
    mapping = inbound({"other": {"const": "x"}}, **spec)

    for name, value in HOSTILE.items():
        begin = time.thread_time()
        (given,) = mapping.run([{"K": "1", "A": value}])

        assert not isinstance(given, NaveError) or given.code != "NAVE-M100", f"{name}: {given.__cause__!r}"
        assert time.thread_time() - begin < SECONDS, name


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("A | replace('x', '12345')", "a long text"),
        ("A | nfkc", "what grows when it is normalised"),
        ("A | split('x') | join('--')", "a long text"),
        ("A | json", "open brackets"),
        ("A | pinyin", "a long wide text"),
        ("A | follow(A, 'A', '@id', 'B') | length", "a list of one row"),
        ("A | group('NO') | length", "a list of one row"),
        ("A | tree('A', 'B') | length", "rows that are their own parents"),
        ("A | unique | length", "a deep list"),
        ("A | replace_all('x*', 'yyyyyyyyyy')", "a long text"),
    ],
)
def test_memory_stays_small(expression: str, name: str) -> None:
    outcome(expression, "x")
    tracemalloc.start()
    try:
        outcome(expression, HOSTILE[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < MEMORY


# Patterns that are known to make backtracking engines hang, most of them out of published advisories.
EXPLODING = [
    "(a+)+$", "(a|a)*$", "(a|aa)+$", "(a*)*$", "(a*)*b", "([a-zA-Z]+)*$", "(a+){10}$", "(.*a){12}$", "(.*)*$", "(x+x+)+y",
    "(a?){30}a{30}", "^(a?a?a?a?a?a?a?a?a?a?)*$", "(?:a+)+b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(\\w+\\s?)*$", "(\\d+)*x",
    "^(\\w+\\.)*\\w+@x$", "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}$", "(a+a+)+b", "((a+)+)+$", "(a|b|ab)*c",
    "(\\s*\\w+\\s*)*;", "^\\s+|\\s+$", "\\s*$", "(,\\s*\\w*)*!", "(?:.*,){11}P", "(.+)+\\.", "[\\s\\S]*?x[\\s\\S]*?y",
    "(?:a|a?)+b",
    "(0|[1-9][0-9]*)*x", "^(.*?,){20}P", "(\\S+\\s*)*:", "<(.*?)*>", "(\"[^\"]*\"|[^,]*)*;",
    "^(-?\\d+)(\\.\\d+)*([eE]\\d+)*x",
    "(?:\\w|\\w)*!", "(a{1,20}){1,20}b", "((ab)*)*c", "(a*b*)*c", "([ab]*)+c", "(a+b?)+c", "(\\w*)*-", "(?:(?:a*)*)*b",
    "^(?:\\+?\\d+[\\s-]?)*x", "(a.*b.*)+c", "(.*)(.*)(.*)(.*)x", "(.+,)+;", "(^a|a)+b", "(a|[ab])*c", "(\\d|\\d\\d)+x",
    "([\\x{4e00}-\\x{9fff}]+)*x", "(客|客客)+x",
]  # fmt: skip
TEXTS = ["a" * 10_000, "ab" * 5_000, "1" * 10_000, " " * 10_000, "x,y " * 2_500, "客" * 5_000]


def test_there_are_enough_of_them() -> None:
    assert len(set(EXPLODING)) >= 50


@pytest.mark.slow
@pytest.mark.parametrize("pattern", EXPLODING)
def test_no_regular_expression_explodes(pattern: str) -> None:
    """Refused while compiling, or linear: 200 ms of CPU for 10,000 characters, whatever is asked of them."""
    quoted = pattern.replace("\\", "\\\\").replace('"', '\\"')
    for use in (f'A | find("{quoted}")', f'A | matches("{quoted}") | text', f'A | replace_all("{quoted}", "-")'):
        mapping, codes = _compiled(use)
        assert codes <= {"NAVE-M026"}
        for text in TEXTS if mapping else ():
            spent = min(_cpu(mapping, text) for _ in range(3))
            assert spent < 0.2, f"{use}: {spent:.3f} s"


def _compiled(use: str) -> tuple[Any, set[str]]:
    """A mapping, or the codes for which it is refused."""
    try:
        return inbound({"other": use}), set()
    except MappingProblems as refused:
        return None, {one.error.code for one in refused.problems}


def _cpu(mapping: Any, text: str) -> float:
    begin = time.thread_time()
    mapping.run([{"K": "1", "A": text}])
    return time.thread_time() - begin


def test_the_patterns_are_what_they_are_said_to_be() -> None:
    """One of them, in Python's own engine, on a text of twenty letters: otherwise the test above proves nothing."""
    import re

    spent = []
    for length in (16, 20):
        begin = time.thread_time()
        re.match("(a+)+$", "a" * length + "!")
        spent.append(time.thread_time() - begin)

    assert spent[1] > 6 * spent[0]
    assert sys.getrecursionlimit() >= 1_000
