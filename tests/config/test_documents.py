"""Places in YAML files, and files that mean harm."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.config import parse
from nave.core.errors import PermanentError

TEXT = """\
mapping: erp/customer
fields:
  name: 'CUST_NAME | tirm'
  plain: CUST_NAME | tirm
  it: 'don''t | tirm'
  escaped: "a\\tb | tirm"
  block: |
    CUST_NAME | tirm
  nested: {amount: CREDIT, list: [a, b]}
"""


@pytest.mark.parametrize(
    ("path", "offset", "place"),
    [
        (("mapping",), None, (1, 10)),
        (("fields",), None, (2, 1)),
        (("fields", "name"), None, (3, 9)),
        (("fields", "name"), 12, (3, 22)),
        (("fields", "plain"), 12, (4, 22)),
        (("fields", "it"), 8, (5, 17)),
        (("fields", "escaped"), 6, (6, 13)),
        (("fields", "block"), 12, (7, 10)),
        (("fields", "nested"), None, (9, 11)),
        (("fields", "nested", "amount"), None, (9, 20)),
        (("fields", "nested", "list", 1), None, (9, 38)),
        (("fields", "nested", "absent"), None, (9, 3)),
        (("absent",), None, (1, 1)),
    ],
)
def test_a_problem_points_at_the_place_it_is_about(
    path: tuple[str | int, ...], offset: int | None, place: tuple[int, int]
) -> None:
    document, _ = parse("x.yaml", TEXT)

    problem = document.problem("NAVE-C012", path, offset=offset)

    assert (problem.line, problem.column) == place
    assert problem.source == TEXT.splitlines()[place[0] - 1]


def test_an_error_of_another_part_becomes_a_problem_at_its_place() -> None:
    document, _ = parse("mappings/erp/customer.yaml", TEXT)
    error = PermanentError("NAVE-D001", path="name")

    problem = document.explain(error, ("fields", "name"), offset=12, length=4, near="trim")

    assert problem.render().splitlines() == [
        "mappings/erp/customer.yaml:3:22: error[NAVE-D001]: the field 'name' is missing",
        "    3 |   name: 'CUST_NAME | tirm'",
        "      |                      ^^^^ did you mean 'trim'?",
        "  help: map it from a source field, or give it a default",
    ]


def test_an_alias_bomb_is_refused_at_once() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(20)
    )

    begin = time.process_time()
    document, problems = parse("bomb.yaml", bomb)

    assert {p.code for p in problems} == {"NAVE-C007"}
    assert len(problems) <= 21
    assert time.process_time() - begin < 1.0
    assert document.data is None


@given(st.text(alphabet=st.sampled_from("ab:-{}[]'\"|>&*!%@#,? \n\t\\~0$"), max_size=60))
def test_whatever_the_text_reading_ends_in_values_or_problems(text: str) -> None:
    document, problems = parse("x.yaml", text)

    for problem in problems:
        assert problem.code.startswith("NAVE-C")
        assert 1 <= problem.line <= text.count("\n") + 2
        assert problem.render()
    assert problems or document.data is None or isinstance(document.data, dict | list | str | int | bool)


def test_half_a_character_is_refused_where_it_stands() -> None:
    _, problems = parse("x.yaml", 'a: "\\ud800"\n')

    assert [(p.code, p.line, p.column) for p in problems] == [("NAVE-C008", 1, 4)]


leaves = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8)
values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), leaves, max_size=3)


@given(st.dictionaries(st.text(alphabet="abcdef", min_size=1, max_size=5), values, max_size=3))
def test_json_reads_as_what_it_means(data: dict[str, object]) -> None:
    document, problems = parse("x.yaml", json.dumps(data, ensure_ascii=False))

    assert document.data == data or problems
