"""What is to be noted of a customer of WeCom (备注), made of a mapped record, and what of that is not noted there yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nave.connectors.hr.services import WECOM
from nave.connectors.wording import short
from nave.core.errors import PermanentError

_WECHAT = 1
"""The type of customers who use WeChat: WeCom takes a company for these only, it knows that of others itself."""
_MOST_NUMBERS = 100


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of a note; https://developer.work.weixin.qq.com/document/path/92115 says how long it may be."""

    name: str
    shown: str
    """What it is called where WeCom tells of it."""
    most: int


_TEXTS = (
    _Text("remark", "remark", 20),
    _Text("description", "description", 150),
    _Text("remark_company", "remark_corp_name", 20),
)
_NUMBERS = "remark_mobiles"
_KNOWN = frozenset({"external_userid", "userid", _NUMBERS, *(text.name for text in _TEXTS)})


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be noted; nothing of what is left out."""

    customer: str
    user: str | None
    """Whose note it is to be; of the first who follows the customer, if left out."""
    texts: Mapping[str, str]
    numbers: Sequence[str] | None
    """None leaves them alone, none at all clears them."""


def note_of(values: Mapping[str, Any]) -> Note:
    """The note that a mapped record asks for; a PermanentError where there is none in it, or a text is too long."""
    customer, user, numbers = values.get("external_userid"), values.get("userid"), values.get(_NUMBERS)
    _check("external_userid", isinstance(customer, str) and customer != "")
    _check("userid", user is None or (isinstance(user, str) and user != ""))
    for name in values:
        _check(name, name in _KNOWN)
    texts = {text.name: str(values[text.name]) for text in _TEXTS if _text(text, values.get(text.name))}
    if isinstance(numbers, str):
        numbers = [numbers]
    listed = isinstance(numbers, list) and len(numbers) <= _MOST_NUMBERS
    _check(_NUMBERS, numbers is None or (listed and all(isinstance(one, str) and one for one in numbers)))
    return Note(str(customer), user, texts, numbers)


def _text(text: _Text, value: Any) -> bool:
    """Whether it is to be noted: WeCom knows no way to clear a text, so an empty one is left alone."""
    _check(text.name, value is None or isinstance(value, str))
    if value and len(value) > text.most:
        raise PermanentError("NAVE-K441", name=text.name, length=len(value), most=text.most)
    return bool(value)


def _check(name: str, fine: bool) -> None:
    if not fine:
        raise PermanentError("NAVE-K440", service=WECOM.name, name=short(name))


def missing(note: Note, follow: Mapping[str, Any], kind: Any) -> Mapping[str, Any]:
    """What of the note is not as it is noted; `follow` is the note as WeCom tells it, `kind` the type of the customer."""
    wanted: dict[str, Any] = {
        text.name: note.texts[text.name]
        for text in _TEXTS
        if text.name in note.texts
        and note.texts[text.name] != follow.get(text.shown)
        and (text.name != "remark_company" or kind == _WECHAT)
    }
    noted = follow.get(_NUMBERS)
    held = [one for one in noted if isinstance(one, str) and one] if isinstance(noted, list) else []
    if note.numbers is not None and (numbers := _numbers(note.numbers, held)) != held:
        wanted[_NUMBERS] = numbers or [""]
    return wanted


def _numbers(wanted: Sequence[str], held: Sequence[str]) -> list[str]:
    """WeCom takes the whole list: those that somebody noted behind the ones that are told stay."""
    return [*wanted, *(one for one in held[len(wanted) :] if one not in wanted)] if wanted else []
