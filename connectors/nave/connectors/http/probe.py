"""Asks the target whether it has a record at its version: an unknown outcome is settled before anything is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nave.connectors.http.addresses import address
from nave.connectors.http.answers import NO_ENTRY
from nave.connectors.http.client import Answer, Call, Client
from nave.connectors.http.options import HttpOptions, HttpSinkOptions, ProbeOptions
from nave.connectors.http.paths import at
from nave.connectors.http.waits import retry_after
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Probe, Receipt, Setting
from nave.formats import loads

_NOBODY = object()


@contextmanager
def probing(connection: HttpOptions, options: HttpSinkOptions, setting: Setting) -> Iterator[Probe]:
    """A probe that keeps its connection; a ConfigError where the sink has no `probe`."""
    if options.probe is None:
        raise ConfigError("NAVE-S065", name=setting.name)
    client = Client(connection, setting, most=options.max_answer)
    wanted = options.probe

    def probe(record: Outbound) -> Receipt | None:
        return _ask(client, options, wanted, record)

    try:
        yield probe
    finally:
        client.close()


def _ask(client: Client, options: HttpSinkOptions, wanted: ProbeOptions, record: Outbound) -> Receipt | None:
    url = address(client.url, wanted.path, record)
    try:
        answer = client.one(Call("GET", url))
    except UnknownOutcome as error:
        params: dict[str, Any] = dict(error.params)
        raise RetryableError(error.code, **params) from error  # asking again does no harm
    status = answer.status
    if status in (404, 410):
        return Receipt(Outcome.DUPLICATE, record.remote_key) if record.retired else None
    if not 200 <= status < 300:
        if status >= 500 or status in (408, 425, 429):
            after = retry_after(answer.header("Retry-After"))
            raise RetryableError("NAVE-S066", after=after, status=status, url=short(url, 200))
        kind = LoginError if status == 403 or status in NO_ENTRY else ConfigError
        raise kind("NAVE-S066", status=status, url=short(url, 200))
    return None if record.retired else _found(options, wanted, record, answer)


def _found(options: HttpSinkOptions, wanted: ProbeOptions, record: Outbound, answer: Answer) -> Receipt | None:
    key_path = wanted.key_path or options.key_path
    if wanted.version_path is None and key_path is None and wanted.items is None:
        return Receipt(Outcome.DUPLICATE, record.remote_key)
    try:
        said = loads(answer.body) if answer.whole else None
    except NaveError as error:
        raise RetryableError("NAVE-S063", status=answer.status, reason=short(error.text())) from error
    said = said if wanted.items is None else _first(wanted.items, said)
    if said is _NOBODY or (wanted.version_path is not None and _version(wanted.version_path, said) < record.version):
        return None
    key = at(said, key_path) if key_path else None
    return Receipt(Outcome.DUPLICATE, str(key) if isinstance(key, str | int) else record.remote_key)


def _first(path: str, said: Any) -> Any:
    """Of those that fit; nobody, where the list is empty."""
    found = at(said, path)
    if not isinstance(found, list):
        raise ConfigError("NAVE-S067", path=path, said=short(found))
    return found[0] if found else _NOBODY


def _version(path: str, said: Any) -> int:
    held = str(at(said, path))
    if not held.isdecimal():
        raise ConfigError("NAVE-S067", path=path, said=short(held))
    return int(held)
