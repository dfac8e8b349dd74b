"""`nave explain`: what a code means and what to do about it, and what the filters of mappings do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from nave.cli import exits
from nave.cli.cells import printable, wrapped
from nave.cli.failures import Stop
from nave.cli.page import Page
from nave.cli.session import Session
from nave.core.texts import catalogue

_CODE = re.compile(r"(?:NAVE-)?([A-Z]\d{1,4})", re.IGNORECASE)
_WIDEST = 100
_PARTS = ("text", "help", "explain")


def explain(session: Session, *, topic: str) -> None:
    """Explain one code or filter, or list them all."""
    if topic in _LISTS:
        _LISTS[topic](session)
    elif found := _CODE.fullmatch(topic):
        _explain_code(session, f"NAVE-{found[1].upper()}")
    else:
        _explain_filter(session, topic)


def _codes() -> dict[str, Mapping[str, Mapping[str, str]]]:
    return {code: entry for code, entry in sorted(catalogue().items()) if code.startswith("NAVE-") and "help" in entry}


def _explain_code(session: Session, code: str) -> None:
    codes = _codes()
    if code not in codes:
        near = [other for other in codes if other.startswith(code)] or get_close_matches(code, codes, n=5, cutoff=0.6)
        raise Stop(exits.USAGE, "NAVE-E213", topic=code, near=", ".join(sorted(near)[:12]) or "-")
    texts = {part: codes[code].get(part, {}).get(session.language, "") for part in _PARTS}
    session.answer({"code": code, **texts}, _code_lines(code, texts, session.page))


def _code_lines(code: str, texts: Mapping[str, str], page: Page) -> Iterator[str]:
    room = min(page.room or _WIDEST, _WIDEST)
    for line in wrapped(f"{code}: {_open(texts['text'])}", room):
        yield page.style(line, "bold")
    if texts["explain"]:
        yield ""
        yield from wrapped(_open(texts["explain"]), room)
    if texts["help"]:
        yield ""
        yield from wrapped(f"{page.words('error.help')}: {_open(texts['help'])}", room)


def _open(template: str) -> str:
    """A template with its values shown as names: `the field <field>`."""
    return re.sub(r"\{(\w+)\}", r"<\1>", template).replace("{{", "{").replace("}}", "}")


def _list_codes(session: Session) -> None:
    rows = [{"code": code, "text": entry["text"][session.language]} for code, entry in _codes().items()]
    page = session.page
    columns = page.columns("explain", "code", "text", elastic="text")
    lines = page.table(columns, [(row["code"], _open(row["text"])) for row in rows])
    session.answer({"codes": rows}, lines, rows="codes")


def _filters() -> Mapping[str, Any]:
    from nave.mappings import filters

    return dict(sorted(filters().items()))


def _list_filters(session: Session) -> None:
    listed = _filters()
    rows = [_filter_data(one, session.language) for one in listed.values()]
    page = session.page
    columns = page.columns(
        "explain", "filter", "what", "example", elastic="what example", spare="example", least={"what": 44, "example": 24}
    )
    examples = [_example(one) for one in listed.values()]
    lines = page.table(columns, [(row["usage"], row["about"], example) for row, example in zip(rows, examples, strict=True)])
    session.answer({"filters": rows}, lines, rows="filters")


def _filter_data(one: Any, language: str) -> dict[str, Any]:
    examples = [{"expression": each.expression, "record": each.record, "result": each.result} for each in one.examples]
    return {"name": one.name, "usage": one.usage, "about": getattr(one, language), "examples": examples}


def _example(one: Any) -> str:
    return _example_text(one.examples[0]) if one.examples else ""


def _example_text(example: Any) -> str:
    values = ", ".join(f"{name}={value!r}" for name, value in example.record.items())
    return f"{example.expression}  →  {example.result!r}" + (f"   ({values})" if values else "")


def _explain_filter(session: Session, name: str) -> None:
    listed = _filters()
    if name not in listed:
        near = get_close_matches(name, [*listed, *_LISTS], n=3, cutoff=0.5)
        raise Stop(exits.USAGE, "NAVE-E213", topic=name[:80], near=", ".join(near) or "filters, codes, NAVE-M104")
    one, page = listed[name], session.page
    lines = [page.style(one.usage, "bold"), *wrapped(getattr(one, session.language), min(page.room or _WIDEST, _WIDEST))]
    lines += ["", page.words("explain.examples"), *(f"  {printable(_example_text(each))}" for each in one.examples)]
    session.answer({"filter": _filter_data(one, session.language)}, lines)


_LISTS = {"filters": _list_filters, "codes": _list_codes}
