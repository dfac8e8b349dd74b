"""A hub behind the door that lands into a list, and fails as a test asks it to."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from nave.api.door import DoorSource
from nave.core.protocols import Raw

SOURCES = {
    "crm.customers": DoorSource("crm.customers", "customer", max_body=100_000),
    "crm.contacts": DoorSource("crm.contacts", "contact", token="tök-é".encode()),
    "crm.stock_movements": DoorSource("crm.stock_movements", "stock_movement"),
}
JSON = "application/json"
EVENT = {"specversion": "1.0", "id": "e1", "source": "/crm", "type": "crm.customer.changed.v1"}


@dataclass
class Hub:
    """Lands into a list, and fails as a test asks it to."""

    port: int = 0
    landed: list[tuple[str, list[Raw], dict[str, str | int]]] = field(default_factory=list)
    failure: Exception | None = None
    parts: dict[str, bool] = field(default_factory=lambda: {"store": True})

    async def land(self, source: str, records: list[Raw], origin: dict[str, str | int]) -> int:
        if self.failure is not None:
            raise self.failure
        self.landed.append((source, records, origin))
        return 40 + len(self.landed)

    def send(
        self,
        body: Any,
        source: str = "crm.customers",
        kind: str | None = JSON,
        method: str = "POST",
        path: str | None = None,
        **headers: str | bytes,
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if kind is not None:
            named["Content-Type"] = kind
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path or f"/events/{source}", content, named)
            answer = connection.getresponse()
            text = answer.read()
        return answer.status, json.loads(text) if text[:1] in b"{[" else {"text": text}, dict(answer.headers.items())
