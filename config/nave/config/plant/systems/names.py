"""What the plant's systems are called where ready-made ones stand for them, and the keys that these give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

CLOCK = "CKJ1234560001"
"""The serial number of the plant's clock; a dump of its memory calls it 1."""
_CONTACTS = 1 << 32
"""Ids of contacts lie above those of accounts."""
Rename = Callable[[str], tuple[str, str]]


def account_id(key: str) -> str:
    """EspoCRM's id of the account that the plant knows by this key."""
    return f"{_number(key):017x}"


def contact_id(key: str) -> str:
    """EspoCRM's id of the contact that the plant knows by this key."""
    return f"{_CONTACTS + _number(key):017x}"


def _number(key: str) -> int:
    return int(key.rpartition("-")[2])


_REFERENCES: Mapping[str, Rename] = {
    "crm": lambda key: ("espocrm", account_id(key)),
    "hr": lambda key: ("hr-db", key),
    "pdm": lambda key: ("solidworks", key),
}
"""Where references point instead; the CRM is only ever named for a customer, the PDM for a product in one of its BOMs."""


def renamed(value: Any) -> Any:
    """A value with all references in it as the ready-made systems write them."""
    if isinstance(value, Mapping):
        if set(value) == {"system", "key"} and value["system"] in _REFERENCES:
            system, key = _REFERENCES[value["system"]](value["key"])
            return {"system": system, "key": key}
        return {name: renamed(item) for name, item in value.items()}
    return [renamed(item) for item in value] if isinstance(value, list) else value
