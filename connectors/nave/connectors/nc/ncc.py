"""Calls operations of NC Cloud's OpenAPI: a token that is renewed when it ends, each call signed, one record per call."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import msgspec

from nave.connectors.exchange import Answer
from nave.connectors.nc.answers import LATER, lost, refusal, refused
from nave.connectors.nc.meanings import nc_judge
from nave.connectors.nc.openapi import encrypted, signature
from nave.connectors.nc.options import NccOptions, NccSinkOptions
from nave.connectors.nc.receipts import Told, shown, unclear
from nave.connectors.nc.wire import Wire
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from nave.formats import loads

_TOKEN = "/nccloud/opm/accesstoken"  # noqa: S105 - a path
_FORM = "application/x-www-form-urlencoded"
_EARLY_SECONDS = 30.0
_ENDED = ("token",)
"""A word of refusals that another token may mend, in whatever case; codes of it are not documented."""


class Session:
    """The application's token."""

    def __init__(self, options: NccOptions, setting: Setting) -> None:
        self._options = options
        self._setting = setting
        self._token: str | None = None
        self._until = 0.0

    def headers(self, body: bytes) -> list[str]:
        """What a call with this body carries; LoginError where no token is given, RetryableError where none can be had."""
        if self._token is None or time.monotonic() >= self._until:
            self._token, self._until = self._fetched()
        options = self._options
        salted = options.generation != "1909" if options.salted_calls is None else options.salted_calls
        signed = signature(options.client_id, body.decode(), options.public_key, salted=salted)
        return [
            f"access_token: {self._token}",
            f"client_id: {options.client_id}",
            f"signature: {signed}",
            "ucg_flag: y",
        ]

    def ended(self) -> None:
        """Forget the token, so that the next call has another one."""
        self._token = None

    def _fetched(self) -> tuple[str, float]:
        wire = Wire(self._options, self._setting, _TOKEN, self._question(), _FORM)
        began = time.monotonic()
        try:
            reply = wire.post(b"")
        except UnknownOutcome as error:  # asking for a token twice does no harm
            params: dict[str, Any] = dict(error.params)
            raise RetryableError(error.code, **params) from error
        finally:
            wire.close()
        data = _token_in(reply)
        seconds = data.get("expires_in")
        text = str(seconds)
        life = float(text) if text.isdecimal() and len(text) < 10 else float("inf")
        return str(data["access_token"]), began + max(0.0, life - min(_EARLY_SECONDS, life / 10))

    def _question(self) -> dict[str, str]:
        options = self._options
        secret = options.client_secret.get_secret_value()
        salted = options.generation != "1909"
        asked = {
            "grant_type": "client_credentials",
            "client_id": options.client_id,
            "client_secret": encrypted(secret, options.public_key, options.generation),
            "biz_center": options.biz_center,
            "signature": signature(options.client_id, secret, options.public_key, salted=salted),
            "usercode": options.usercode,
            "dsname": options.dsname,
        }
        return {name: value for name, value in asked.items() if value is not None}


def _token_in(reply: Answer) -> Mapping[str, Any]:
    """The server's own text is not shown: it might hold what it was sent."""
    if reply.status >= 500 or reply.status in LATER:
        raise RetryableError("NAVE-K391", after=reply.retry_after, status=reply.status, answer="")
    try:
        said = loads(reply.content)
    except NaveError:
        said = None
    if reply.status == 200 and not (isinstance(said, dict) and isinstance(said.get("success"), bool)):
        raise RetryableError(
            "NAVE-K392", url=_TOKEN, reason="no JSON with success"
        )  # somebody else's page, or a part of one
    data = said.get("data") if isinstance(said, dict) and said.get("success") is True else None
    token = data.get("access_token") if isinstance(data, dict) else None
    if (
        not isinstance(data, dict)
        or not isinstance(token, str)
        or not token.isprintable()
        or not token.isascii()
        or not token
    ):
        raise LoginError("NAVE-K398", reason=f"no token ({reply.status})")
    return data


class NccSink:
    """One operation. Calls one after the other: a token that ends is renewed once, for all."""

    def __init__(self, connection: NccOptions, options: NccSinkOptions, setting: Setting) -> None:
        self._options = options
        self._session = Session(connection, setting)
        self._wire = Wire(connection, setting, options.path, {}, "application/json; charset=utf-8")
        self._encode = msgspec.json.Encoder(decimal_format="number").encode
        self._judge = nc_judge(options.texts, {})
        self._stopped: NaveError | None = None

    def __enter__(self) -> NccSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. Raises what keeps all of them back, if nothing has been sent yet.

        Once a call finds nobody or runs out of time, the rest is held back: not sent.
        """
        receipts: list[Receipt] = []
        for record in records:
            if self._stopped is not None:
                receipts.append(Receipt(Outcome.RETRY, error=self._stopped, tried=False))
            elif record.retired:
                receipts.append(Receipt(Outcome.DUPLICATE, record.remote_key, tried=False))
            else:
                receipts.append(self._receipt(record, first=not any(one.tried for one in receipts)))
        self._stopped = None
        return receipts

    def _receipt(self, record: Outbound, *, first: bool) -> Receipt:
        try:
            return self._one(record)
        except PermanentError as error:
            return Receipt(Outcome.REJECTED, error=error)
        except UnknownOutcome as error:
            if error.code == "NAVE-S051":
                self._stopped = RetryableError("NAVE-S058", url=self._wire.url)
            return lost(error, idempotent=self._options.idempotent, settle=self._options.settle.total_seconds())
        except NaveError as error:
            if first:
                raise
            self._stopped = error
            return Receipt(Outcome.RETRY, error=error, tried=False)

    def _one(self, record: Outbound) -> Receipt:
        body = self._body(record)
        said = self._called(body)
        if said.get("success") is False and any(word in _text(said).lower() for word in _ENDED):
            self._session.ended()
            said = self._called(body)
        return self._judged(record, said)

    def _body(self, record: Outbound) -> bytes:
        try:
            return self._encode(record.values)
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
            raise PermanentError("NAVE-S059", reason=str(error)[:80]) from error

    def _called(self, body: bytes) -> Mapping[str, Any]:
        reply = self._wire.post(body, self._session.headers(body))
        if reply.status == 401:
            self._session.ended()
            reply = self._wire.post(body, self._session.headers(body))
        if (error := refused(reply)) is not None:
            raise error
        try:
            said = loads(reply.content)
        except NaveError as problem:
            raise unclear(self._wire.url, shown(reply.content)) from problem
        if not isinstance(said, dict) or not isinstance(said.get("success"), bool):
            raise unclear(self._wire.url, shown(reply.content))
        return said

    def _judged(self, record: Outbound, said: Mapping[str, Any]) -> Receipt:
        raw = shown(msgspec.json.encode(said))
        if said["success"]:
            return Receipt(Outcome.ACCEPTED, _at(said, self._options.key_path) or record.remote_key or record.key, raw=raw)
        text = _text(said)
        meant = self._judge(Told("", text, None))
        told = {"id": record.key, "result": short(said.get("code") or "-", 20), "said": short(text or "-", 200)}
        if meant.meaning == "duplicate" and self._options.idempotent:
            return Receipt(Outcome.DUPLICATE, record.remote_key or record.key, raw=raw)
        if meant.meaning == "setup":
            raise ConfigError("NAVE-K396", **told)
        return refusal(meant, told, raw)


def _text(said: Mapping[str, Any]) -> str:
    found = said.get("message") or said.get("msg") or ""
    return found if isinstance(found, str) else str(found)


def _at(said: Mapping[str, Any], path: str | None) -> str | None:
    value: Any = said
    for step in path.split(".") if path else ():
        value = value.get(step) if isinstance(value, dict) else None
    return (
        short(value, 200) if path and isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )


def check(connection: NccOptions, setting: Setting) -> None:
    """Ask for a token; nothing is called."""
    Session(connection, setting).headers(b"")
