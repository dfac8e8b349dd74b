"""No secret is ever shown: not in a problem, not in its source line, not in a repr, whatever else is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from nave.config import Problem
from tests.config.hubs import GOOD, load_hub

ERP = "systems/erp.yaml"
CANARY = "c4n4ry-hunter2"
OUTSIDE = "${env:ERP_PASSWORD}"


def shown(problems: Iterable[Problem]) -> str:
    """Everything that a person or a log could see of some problems."""
    texts = [problem.render(language) for problem in problems for language in ("en", "zh")]
    return "\n".join([*texts, *(json.dumps(problem.as_json()) for problem in problems), repr(list(problems))])


LITERALS = {
    "as a secret": GOOD[ERP].replace(f'"{OUTSIDE}"', CANARY),
    "beside an unknown key": GOOD[ERP].replace(f'"{OUTSIDE}"', f"{CANARY}, pol: 4"),
    "under a misspelt key": GOOD[ERP].replace(f'password: "{OUTSIDE}"', f"pasword: {CANARY}, pwd: {CANARY}"),
    "nested": GOOD[ERP].replace(f'password: "{OUTSIDE}"', f"login: {{key: {CANARY}, usr: x}}"),
    "in a folded text": GOOD[ERP].replace(f'"{OUTSIDE}"', f'"{CANARY}\n             x", pol: 4'),
    "with an unknown connector": GOOD[ERP].replace("depot,", "depto,").replace(f'"{OUTSIDE}"', CANARY),
    "in a URL": GOOD[ERP].replace("depot://db", f"depot://user:{CANARY}@db"),
    "in a URL that the connector refuses": GOOD[ERP].replace("depot://db", f"ftp://user:{CANARY}@db"),
}


@pytest.mark.parametrize("text", LITERALS.values(), ids=LITERALS)
def test_a_secret_in_a_file_is_refused_and_masked(tmp_path: Path, text: str) -> None:
    problems = load_hub(tmp_path, {ERP: text}, {"ERP_PASSWORD": "x"}).problems

    assert any(problem.severity == "error" for problem in problems)
    assert CANARY not in shown(problems)


FROM_OUTSIDE = {
    "as a number": GOOD[ERP].replace('"depot://db"', f'"depot://db", pool: "{OUTSIDE}"'),
    "as a URL that is refused": GOOD[ERP].replace('"depot://db"', f'"ftp://{OUTSIDE}"'),
    "as a duration": GOOD[ERP].replace("every: 5m", f'every: "{OUTSIDE}"'),
    "as a connector": GOOD[ERP].replace("type: depot", f'type: "{OUTSIDE}"'),
    "as a mapping": GOOD[ERP].replace("mapping: erp/customer-out", f'mapping: "{OUTSIDE}"'),
    "as a connection": GOOD[ERP].replace("from: db", f'from: "{OUTSIDE}"'),
    "as an entity": GOOD[ERP].replace("to: db", f'to: db\n            bad: "{OUTSIDE}"'),
    "as a time zone": GOOD[ERP].replace("Asia/Shanghai", f'"{OUTSIDE}"'),
}


@pytest.mark.parametrize("text", FROM_OUTSIDE.values(), ids=FROM_OUTSIDE)
def test_what_comes_from_outside_is_never_shown_by_a_problem(tmp_path: Path, text: str) -> None:
    problems = load_hub(tmp_path, {ERP: text}, {"ERP_PASSWORD": CANARY}).problems

    assert any(problem.severity == "error" for problem in problems)
    assert CANARY not in shown(problems)


def test_a_hub_does_not_show_its_secrets(tmp_path: Path) -> None:
    hub = "hub: p\nstore: postgresql://nave:${env:ERP_PASSWORD}@db/nave\nbroker: amqp://a:${env:ERP_PASSWORD}@mq\n"

    loaded = load_hub(tmp_path, {"hub.yaml": hub}, {"ERP_PASSWORD": CANARY})

    assert loaded.config is not None
    assert loaded.config.store == f"postgresql://nave:{CANARY}@db/nave"
    assert CANARY not in repr(loaded)
    assert CANARY not in repr(loaded.config.sources) + repr(loaded.config.systems["erp"].connections["db"].options)


def test_a_secret_from_a_file_is_not_shown_either(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(CANARY, encoding="utf-8")
    text = GOOD[ERP].replace(OUTSIDE, "${file:password}")

    loaded = load_hub(tmp_path, {ERP: text})

    assert loaded.config is not None
    options = loaded.config.systems["erp"].connections["db"].options
    assert options.password.get_secret_value() == CANARY  # type: ignore[attr-defined]
    assert CANARY not in repr(loaded)
