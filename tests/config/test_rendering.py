"""The one form of a problem, in both languages, for people and for machines."""

from __future__ import annotations

from pathlib import Path

from nave.config import Problem
from tests.config.hubs import load_hub

BROKEN = {
    "hub.yaml": "hub: plant\nstor: sqlite:///x.db\n",
    "systems/crm.yaml": """\
        system: crm
        connections:
          events: {type: door}
        sources:
          contacts: {entity: contact, from: evnts, mapping: crm/contact}
        """,
    "mappings/crm/spare.yaml": "mapping: crm/spare\n",
}

ENGLISH = """\
hub.yaml:2:1: error[NAVE-C011]: there is no key 'stor' here
    2 | stor: sqlite:///x.db
      | ^^^^ did you mean 'store'?
  help: keys that can stand here: audit, broker, closed, http, hub, limits, retention, store, title
mappings/crm/spare.yaml:1:10: warning[NAVE-C064]: nobody uses the mapping 'crm/spare'
    1 | mapping: crm/spare
      |          ^^^^^^^^^
  help: name it in a source or a sink, or remove it
systems/crm.yaml:3:3: warning[NAVE-C066]: nobody uses the connection 'events'
    3 |   events: {type: door}
      |   ^^^^^^
  help: name it in a source or a sink, or remove it
systems/crm.yaml:5:37: error[NAVE-C050]: there is no connection 'evnts' in this system
    5 |   contacts: {entity: contact, from: evnts, mapping: crm/contact}
      |                                     ^^^^^ did you mean 'events'?
  help: connections here: events"""

CHINESE = """\
hub.yaml:2:1: 错误[NAVE-C011]: 此处没有“stor”这个键
    2 | stor: sqlite:///x.db
      | ^^^^ 是否想写“store”？
  帮助: 此处可用的键：audit, broker, closed, http, hub, limits, retention, store, title
mappings/crm/spare.yaml:1:10: 警告[NAVE-C064]: 映射“crm/spare”没有被使用
    1 | mapping: crm/spare
      |          ^^^^^^^^^
  帮助: 请在来源或去向中引用它，或将其删除
systems/crm.yaml:3:3: 警告[NAVE-C066]: 连接“events”没有被使用
    3 |   events: {type: door}
      |   ^^^^^^
  帮助: 请在来源或去向中引用它，或将其删除
systems/crm.yaml:5:37: 错误[NAVE-C050]: 此系统中没有连接“evnts”
    5 |   contacts: {entity: contact, from: evnts, mapping: crm/contact}
      |                                     ^^^^^ 是否想写“events”？
  帮助: 现有连接：events"""


def test_problems_are_shown_with_place_line_caret_and_help(tmp_path: Path) -> None:
    loaded = load_hub(tmp_path, BROKEN)

    assert "\n".join(problem.render("en") for problem in loaded.problems) == ENGLISH
    assert "\n".join(problem.render("zh") for problem in loaded.problems) == CHINESE


def test_machines_get_the_same_keys_and_codes_in_every_language(tmp_path: Path) -> None:
    problem = load_hub(tmp_path, BROKEN).problems[0]

    assert problem.as_json() == {
        "file": "hub.yaml",
        "line": 2,
        "column": 1,
        "code": "NAVE-C011",
        "severity": "error",
        "text": "there is no key 'stor' here",
        "help": "keys that can stand here: audit, broker, closed, http, hub, limits, retention, store, title",
        "near": "store",
    }
    assert problem.as_json("zh").keys() == problem.as_json().keys()


def test_the_caret_stands_under_its_word_after_full_width_text() -> None:
    problem = Problem("x.yaml", 1, 10, "NAVE-C050", source="名称: {客户: abc}", length=3, params={"name": "abc"})

    source, caret = problem.render().splitlines()[1:3]

    assert source == "    1 | 名称: {客户: abc}"
    assert caret == "      | " + " " * 13 + "^^^"


def test_a_long_line_is_cut_around_the_caret() -> None:
    problem = Problem("x.yaml", 1, 501, "NAVE-C050", source="x" * 500 + "HERE" + "y" * 500, length=4)

    source, caret = problem.render().splitlines()[1:3]

    assert len(source) < 130
    assert source[caret.index("^") : caret.rindex("^") + 1] == "HERE"


def test_nothing_in_a_file_can_steer_a_terminal() -> None:
    problem = Problem("t.csv", 1, 1, "NAVE-C072", source="a\x1b[31m\x9b\u202eb\tc", params={"column_name": "\x1b]0;x\x07"})

    shown = problem.render()

    assert all(c.isprintable() or c == "\n" for c in shown)
