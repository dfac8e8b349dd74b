"""Knows where secrets stand in a file, so that nobody is ever shown one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr

from nave.config.details import value_at
from nave.config.document import Document, Steps
from nave.config.problems import MASK

_NAME = re.compile(r"(?i)pas+w|passphrase|pwd|secret|token|api_?key|private_?key|credential")
_URL_PASSWORD = re.compile(r"(?<=://)[^\s/@:'\"]*:([^\s@'\"]+)(?=@)")


def secret_paths(model: type[BaseModel], data: Any) -> Iterator[Steps]:
    """Where in `data` secrets stand that `model` declares (`SecretStr`), whatever else is wrong with it."""
    if isinstance(data, dict):
        for name, info in model.model_fields.items():
            key = info.alias or name
            if data.get(key) is not None:
                yield from ((key, *inner) for inner in _secrets_in(info.annotation, data[key]))


def _secrets_in(annotation: Any, data: Any) -> Iterator[Steps]:
    if annotation is SecretStr:
        yield ()
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from secret_paths(annotation, data)
    elif get_origin(annotation) is dict and isinstance(data, dict):
        for key, value in data.items():
            yield from ((key, *inner) for inner in _secrets_in(get_args(annotation)[1], value))
    elif get_origin(annotation) in (list, tuple) and isinstance(data, list):
        for index, value in enumerate(data):
            yield from ((index, *inner) for inner in _secrets_in(get_args(annotation)[0], value))
    elif get_origin(annotation) not in (list, tuple, dict, Literal):
        inner = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
        yield from dict.fromkeys(path for each in inner for path in _secrets_in(each, data))


def looks_secret(path: Steps) -> bool:
    """Whether the names on the way to a value say that it is a secret."""
    return any(_NAME.search(str(step)) for step in path)


def without_secrets(document: Document, line: int, source: str, known: Collection[Steps]) -> str:
    """A line of the file with every value masked that is, or looks like, a secret written into it."""
    for path, span in document.spans.items():
        secret = span.style not in ("block", "{", "[") and (path in known or looks_secret(path))
        if secret and span.line <= line <= span.end_line and "${" not in str(value_at(document.data, path)):
            begin = span.column - 1 if line == span.line else 0
            end = span.end_column - 1 if line == span.end_line else len(source)
            source = source[:begin] + MASK.ljust(end - begin, "*") + source[end:]
    return without_passwords(source)


def without_passwords(text: str) -> str:
    """Text with the password of every URL in it masked."""
    return _URL_PASSWORD.sub(_hide, text)


def url_password(text: str) -> str | None:
    """The password written into a URL, unless it is a reference to the outside."""
    found = _URL_PASSWORD.search(text)
    return found[1] if found and "${" not in found[1] else None


def _hide(found: re.Match[str]) -> str:
    whole, password = found[0], found[1]
    return whole if "${" in password else whole[: len(whole) - len(password)] + "*" * len(password)
