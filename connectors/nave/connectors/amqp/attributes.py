"""Attributes of a CloudEvent in the headers of a message, in any of the three spellings that are about.

Nothing else of a message's headers gets past here. What does gets past only as text, under names that all begin with
`ce-`, beside the record: nothing of it can pass for a field, and nothing of it chooses where a record goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nave.connectors.wording import short
from nave.core.errors import PermanentError

PREFIXES = ("ce-", "cloudevents_", "cloudevents:")
"""Knative's binding for RabbitMQ, and the two of the AMQP 1.0 binding; compared without regard to case."""
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,40}")
_NEEDED = ("specversion", "id", "source", "type")
_LONGEST = 1_000
_MOST = 64
Attributes = dict[str, str]


def from_headers(headers: Mapping[Any, Any] | None) -> Attributes:
    """What the headers say of an event; empty where they say nothing of one. PermanentError where they contradict."""
    found: Attributes = {}
    for name, value in (headers or {}).items():
        attribute = _attribute(name)
        if attribute is None:
            continue
        text = _text(attribute, value)
        if found.setdefault(attribute, text) != text:
            raise _fault(attribute, f"{short(found[attribute])} / {short(text)}")
    return checked(found) if found else found


def checked(attributes: Mapping[str, Any]) -> Attributes:
    """Names and values as CloudEvents 1.0 has them, as text; PermanentError for anything else."""
    if len(attributes) > _MOST:
        raise _fault("-", f"{len(attributes)} > {_MOST}")
    done = {name: _text(name, value) for name, value in attributes.items() if value is not None}
    wrong = next((name for name in done if not _ATTRIBUTE.fullmatch(name)), None)
    if wrong is not None:
        raise _fault(wrong, done[wrong])
    missing = next((name for name in _NEEDED if name not in done), None)
    if missing is not None:
        raise _fault(missing, "")
    if done["specversion"] != "1.0":
        raise _fault("specversion", done["specversion"])
    return done


def _attribute(name: Any) -> str | None:
    """The attribute that a header's name stands for, in small letters; None where it stands for none."""
    folded = name.casefold() if isinstance(name, str) else ""
    return next((folded[len(prefix) :] for prefix in PREFIXES if folded.startswith(prefix)), None)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if not isinstance(value, str | int) or not 0 < len(str(value)) <= _LONGEST or "\0" in str(value):
        raise _fault(name, value)
    return str(value)


def _fault(name: str, said: object) -> PermanentError:
    return PermanentError("NAVE-K271", attribute=short(name), said=short(said) or "-")
