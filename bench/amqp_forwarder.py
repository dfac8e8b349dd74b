"""The raw limit from RabbitMQ to HTTP: a message in, a call out, an acknowledgement; nothing kept. `... BROKER TARGET`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
import msgspec
import pika

from bench.relay_forwarder import mapped

QUEUE = "customers"
_AT_ONCE = 16
_encode = msgspec.json.Encoder().encode


async def forward(broker: str, target: str) -> None:
    """For ever: as many calls at once as the hub makes, and one acknowledgement for all of them."""
    connection = pika.BlockingConnection(pika.URLParameters(broker))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1000)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE)) as session:
        waiting: list[Any] = []
        for method, _, body in channel.consume(QUEUE, inactivity_timeout=0.05):
            if method is not None:
                waiting.append((method.delivery_tag, mapped(json.loads(body))))
            if waiting and (method is None or len(waiting) == _AT_ONCE):
                await asyncio.gather(*(_call(session, target, event) for _, event in waiting))
                channel.basic_ack(waiting[-1][0], multiple=True)
                waiting = []


async def _call(session: aiohttp.ClientSession, target: str, event: dict[str, Any]) -> None:
    async with session.post(target, data=_encode(event)) as answer:
        await answer.read()


if __name__ == "__main__":
    asyncio.run(forward(*sys.argv[1:3]))
