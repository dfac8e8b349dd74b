"""Nothing that stands in a mapping or in a record becomes code, and nothing in them can use up the hub."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nave.mappings import MappingProblems, compile_condition, operations
from nave.mappings.syntax import DEEPEST, LONGEST
from tests.mappings.setting import codes, error, inbound, result

ESCAPES = [
    "''.__class__",
    "''.__class__.__mro__[1].__subclasses__()",
    "A.__class__()",
    "[].append(1)",
    "().__class__",
    "{}.__class__",
    "{}",
    "cycler.__init__.__globals__",
    "lipsum.__globals__['os'].popen('id')",
    "cycler()",
    "joiner()",
    "namespace()",
    "range(10**9)",
    "dict(a=1)",
    "self._TemplateReference__context",
    "config.items()",
    "A | attr('__class__')",
    "A | map('upper')",
    "A | format(1)",
    "'%s' | format(A)",
    "A | eval",
    "A | safe",
    "A | tojson",
    "A | list",
    "A | sort(attribute='a')",
    "A | groupby('a')",
    "A | xmlattr",
    "A | pprint",
    "'{0.__class__}'.format(A)",
    "A.format(B)",
    "A()",
    "A.B()",
    "A[B]",
    "A[0:9]",
    "A[::-1]",
    "2 ** 99999999",
    "A ** B",
    "(1, 2)",
    "+A",
    "A | default(**B)",
    "A | default(*B)",
    "A | trim.upper",
    "field()",
    "field(A)",
    "field('a', 'b')",
    "field(name='x')",
    "field",
    "A is callable",
    "A is sameas(B)",
    "A is in(B)",
    "A is divisibleby 3",
    "1 < A < 3",
    "A}} {% for x in y %}",
    "A }}{{ B",
    "{% set x = 1 %}",
    "{{ A }}",
    "A # comment",
    "__import__('os')",
    "lambda: 1",
    "A := 1",
    "A; B",
    "import os",
    "A if",
    "'unclosed",
    "",
    "   ",
    "A B",
    "\x00",
    "`id`",
]
HARMLESS = {"lipsum", "field", "self._TemplateReference__context", "cycler.__init__.__globals__"}
"""Plain paths: they read fields of these names, which no record has."""


@pytest.mark.parametrize("expression", ESCAPES)
def test_an_escape_is_refused_or_reads_a_field_that_is_not_there(expression: str) -> None:
    if expression in HARMLESS:
        assert error(result(expression, {"A": "x", "B": "y"})) == ("NAVE-M101", "x")
        return

    with pytest.raises(MappingProblems) as caught:
        result(expression, {"A": "x", "B": "y"})

    assert all(problem.error.code.startswith("NAVE-M0") for problem in caught.value.problems)


def test_generated_code_sees_no_builtins() -> None:
    mapping = inbound({"name": "A | trim"})

    namespace = mapping.function.__globals__

    assert namespace["__builtins__"] == {}
    assert not {"open", "eval", "exec", "__import__", "getattr"} & set(namespace)


@pytest.mark.parametrize("name", ["record", "put", "error", "out", "type", "v1", "c1", "__builtins__", "budget", "str"])
def test_a_field_named_like_something_of_ours_is_only_a_field(name: str) -> None:
    assert result(name, {name: "x"}) == "x"


def test_text_of_a_mapping_is_never_program_text() -> None:
    nasty = "x')\nimport os\nos.abort(('"

    assert result({"const": nasty}, {}) == nasty
    assert result(f'A | replace("a", "{nasty}")'.replace("\n", " "), {"A": "a"}) == nasty.replace("\n", " ")
    assert error(result("field(\"a'] or open('/etc/passwd\")", {})) == ("NAVE-M101", "x")


@pytest.mark.parametrize(
    "expression",
    [
        "(" * (DEEPEST + 1) + "A" + ")" * (DEEPEST + 1),
        "[" * 900 + "]" * 900,
        "not " * 400 + "A",
        "-" * 900 + "1",
        "A" + " | trim" * 200,
        "A" + ".b" * 200,
        "A" + " + 1" * 200,
        "A if B else " * 100 + "C",
        "(" * 1999,
    ],
)
def test_deep_nesting_is_refused(expression: str) -> None:
    assert codes({"name": expression}) in (["NAVE-M003"], ["NAVE-M001"])


def test_a_deep_expression_within_the_limit_compiles() -> None:
    assert result("(" * 48 + "A" + ")" * 48, {"A": "x"}) == "x"
    assert result("A" + " | trim" * 48, {"A": " x "}) == "x"


def test_a_long_expression_is_refused() -> None:
    assert codes({"name": "A" * (LONGEST + 1)}) == ["NAVE-M002"]


def test_deeply_nested_forms_are_refused() -> None:
    form: object = "A"
    for _ in range(2_000):
        form = [form]

    assert "NAVE-M003" in codes({"names": form})


@pytest.mark.parametrize(
    ("expression", "record"),
    [
        ("A * 1000000000", {"A": "x"}),
        ("'x' * 1000000000", {}),
        ("A | pad_left(999) | replace(' ', '" + "y" * 1500 + "')", {"A": "x"}),
        ("A ~ A ~ A ~ A", {"A": "x" * 300_000}),
        (" ~ ".join(["A"] * 40), {"A": "x" * 30_000}),
        ("A | join('" + "y" * 1900 + "')", {"A": ["x"] * 1_000}),
        ("A | nfkc", {"A": "\ufdfa" * 1_000_001}),
        ("A | split('x')", {"A": "x" * 1_000_001}),
        ("A * A * A * A * A", {"A": 10**99}),
        ("A ~ ''", {"A": Decimal("1E+999999")}),
        ("A | text", {"A": 10**4000}),
    ],
)
def test_nothing_grows_without_bound(expression: str, record: dict[str, object]) -> None:
    assert error(result(expression, record))[0] in ("NAVE-M114", "NAVE-M115", "NAVE-M117")


def test_nested_loops_over_a_hostile_record_end() -> None:
    mapping = inbound(
        {
            "lines": {"each": "L", "fields": {"code": {"const": "c"}, "text": "parent.T ~ L2"}},
            "names": {"each": "L", "item": "T"},
        }
    )
    nested = inbound({"names": {"each": "A", "item": {"const": "x"}}, "lines": {"each": "A", "fields": {"code": "item"}}})

    wide = nested.run([{"K": "1", "A": ["x"] * (operations.MOST_ITEMS // 2 + 1)}])[0]
    tall = mapping.run([{"K": "1", "T": "x" * 900_000, "L": [{"L2": "y", "T": "t"}] * 1_000}])[0]

    assert error(wide)[0] == "NAVE-M118"
    assert error(tall) == ("NAVE-M114", "lines[71].text")


def test_a_condition_is_held_to_the_same_rules() -> None:
    for expression in ("__import__('os')", "status.upper()", "x" * 3000):
        with pytest.raises(MappingProblems):
            compile_condition(expression)
