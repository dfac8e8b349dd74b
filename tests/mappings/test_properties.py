"""For any expression and record the compiled mapping and a plain tree walk agree; to any text the compiler has an answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from nave.core.errors import NaveError
from nave.mappings import MappingProblems
from tests.mappings.reference import interpret
from tests.mappings.setting import THING, inbound, result

NAMES = ["A", "B", "C", "客户", "A.B", "A.B.C", 'B["@id"]', "C[0]", "C[-1].A", "A[1]"]
CONSTANTS = ["'x'", "''", "'12'", "'2026-11-21'", "0", "1", "-3", "2.50", "true", "none", "['x', 1]", "[]"]
FILTERS = [
    "trim",
    "squeeze",
    "upper",
    "nfkc",
    "text",
    "int",
    "decimal",
    "decimal(2)",
    "date",
    "datetime",
    "bool",
    "first",
    "last",
    "length",
    "optional",
    "required",
    "default('d')",
    "default(B)",
    "none_if('x', 1)",
    "nc_null",
    "strip_zeros",
    "pad_left(5, '0')",
    "slice(0, 2)",
    "split('x')",
    "join('-')",
    "replace('x', 'yy')",
    "phone",
    "company_core",
    "month",
    "iso",
    "money('CNY')",
    "percent",
    "epoch",
    "pinyin",
    "pinyin_initials",
    "rmb_words",
    "region",
    "region_name",
    "unit",
    "gs1('01')",
    "e164",
    "lookup('hr')",
    "find('([0-9]+)')",
    "matches('.*x')",
    "replace_all('x*', 'y')",
    "pluck('A')",
    "where('A', 'x', 1)",
    "unique",
    "compact",
    "flat",
    "sort",
    "sum",
    "min",
    "max",
    "tree('A', 'B', 'C')",
    "walk('C')",
    "group('A')",
    "gather(B, 'A', 'A')",
    "group(['A', 'B.C'])",
    "follow(B, 'A', 'A', 'C')",
    "json",
]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
TESTS = ["none", "empty", "number", "text", "list", "not none", "not empty"]


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} | {})".format, inner, st.sampled_from(FILTERS)),
        st.builds("({} {} {})".format, inner, st.sampled_from(BINARY), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} if {})".format, inner, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(TESTS)),
        st.builds("({} is defined)".format, st.sampled_from(NAMES)),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
    )


EXPRESSIONS = st.recursive(st.sampled_from(NAMES + CONSTANTS), _combined, max_leaves=12)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 50_000),
    st.sampled_from([Decimal("2.50"), Decimal("0"), Decimal("46347.5")]),
    st.sampled_from(
        ["", "x", " x ", "~", "12", "1,200.5", "2026-11-21", "2026-11-21 14:20:03", "是", "１２", "13800138000", "0007"]
    ),
    st.text(max_size=5),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["A", "B", "C", "@id"]), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.sampled_from(["A", "B", "C", "客户"]), VALUES, max_size=4)


def outcome(expression: str, record: dict[str, Any]) -> tuple[str, Any]:
    """The compiled mapping's answer in the words of the reference."""
    given = result(expression, record)
    if isinstance(given, NaveError):
        return "error", "path" if given.code in ("NAVE-M101", "NAVE-M108") else given.code
    return "value", given


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, RECORDS)
def test_compiled_and_interpreted_agree(expression: str, record: dict[str, Any]) -> None:
    expected = interpret(expression, {"K": "k", **record})
    if expected in (("value", None), ("value", "")):
        expected = ("value", None)

    actual = outcome(expression, record)

    assert actual == expected
    assert type(actual[1]) is type(expected[1])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, RECORDS)
def test_whatever_goes_wrong_is_explained(expression: str, record: dict[str, Any]) -> None:
    given = result({"from": expression, "when": "A is defined or B is none"}, record)

    assert not isinstance(given, NaveError) or (given.code != "NAVE-M100" and given.field and given.text("zh"))


PATTERNS = st.lists(
    st.sampled_from(
        [*"ab.()[]{}*+?|^$-\\", "[a-z]", "(a+)+", "(?=a)", "(?P<n>", "{1000}", "{2,}", "\\1", "\\pL", "(?i)", "客"]
    ),
    max_size=12,
).map("".join)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    PATTERNS,
    st.sampled_from(["find", "matches", "replace_all"]),
    st.sampled_from(["a" * 50_000, "ab客" * 9_000, "", "\ud800"]),
)
def test_any_regular_expression_is_refused_or_ends(pattern: str, name: str, text: str) -> None:
    quoted = pattern.replace("\\", "\\\\")
    new = ", 'yy'" if name == "replace_all" else ""
    given: Any = None
    refused: set[str] = set()
    try:
        given = result(f'A | {name}("{quoted}"{new})', {"A": text})
    except MappingProblems as found:
        refused = {problem.error.code for problem in found.problems}

    assert refused <= {"NAVE-M013", "NAVE-M026"}
    assert not isinstance(given, NaveError) or given.code in ("NAVE-M103", "NAVE-M114")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet="AB'\"|()[]{}.,~+-*/%=<>! 01_\n#:", max_size=60)))
def test_any_text_compiles_or_has_problems(text: str) -> None:
    try:
        inbound({"name": text})
    except MappingProblems as found:
        event(",".join(problem.error.code for problem in found.problems))


_YAML = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["A", "A |", "A | trim", "x y", "item"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "from",
                    "table",
                    "default",
                    "each",
                    "fields",
                    "item",
                    "when",
                    "const",
                    "key",
                    "system",
                    "python",
                    "xslt",
                    "xml",
                    "namespaces",
                    "unknown",
                    "at",
                    "name",
                    "code",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*THING.model.model_fields, "nmae"]), _YAML, max_size=4), RECORDS)
def test_any_fields_compile_or_have_problems_and_then_run(fields: dict[str, Any], record: dict[str, Any]) -> None:
    try:
        mapping = inbound(fields)
    except MappingProblems as found:
        for problem in found.problems:
            assert problem.error.text("zh")
        return

    outcomes = mapping.run([record, {"K": "k", **record}])

    assert len(outcomes) == 2
    assert all(not isinstance(entry, NaveError) or entry.field for entry in outcomes)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(RECORDS, max_size=8))
def test_a_record_means_the_same_alone_and_in_a_batch(records: list[dict[str, Any]]) -> None:
    mapping = inbound(
        {"name": "A | text", "lines": {"each": "C", "fields": {"code": "A", "text": "parent.B ~ item.B"}}}, key="B"
    )

    together = mapping.run(records)
    alone = [mapping.run([record])[0] for record in records]

    assert [repr(entry) for entry in together] == [repr(entry) for entry in alone]
