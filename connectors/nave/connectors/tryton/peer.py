"""A Tryton server: what it can be asked and told, in REST with an application's key or in JSON-RPC with a user's session."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from nave.connectors.exchange import Answer
from nave.connectors.tryton.errors import answered, garbled, told
from nave.connectors.tryton.options import TrytonOptions
from nave.connectors.tryton.wire import Wire
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Setting
from nave.formats import loads

Row = dict[str, Any]
"""A row of a model as Tryton's JSON has it."""
_GOOD = range(200, 300)
_JSON = "Content-Type: application/json"


class Peer:
    """One database. Errors: RetryableError, UnknownOutcome (only of what changes something), PermanentError, ConfigError."""

    def __init__(self, options: TrytonOptions, setting: Setting) -> None:
        self._wire = Wire(options, setting)
        self._options = options
        self._tongue: _Rest | _Rpc = _Rest(self._wire, options) if options.key is not None else _Rpc(self._wire, options)
        self._fields: dict[str, dict[str, Row]] = {}

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the session ends by itself at the server."""
        self._wire.close()

    def fields(self, model: str, names: Sequence[str]) -> dict[str, Row]:
        """Type, relation and relation_field of fields; asked once."""
        known = self._fields.setdefault(model, {})
        missing = [name for name in names if name not in known]
        if missing:
            found = self._ask(model, "fields_get", {"fields_names": missing})
            if not isinstance(found, dict):
                raise garbled(f"{model}.fields_get", "no fields")
            known.update({name: found.get(name) or {} for name in missing})
        return {name: known[name] for name in names if known[name]}

    def rows(
        self, model: str, domain: list[Any], fields: Sequence[str], *, limit: int, order: Sequence[Any] = (("id", "ASC"),)
    ) -> list[Row]:
        """At most `limit` rows that the domain lets through, deactivated ones among them."""
        asked = {"domain": domain, "offset": 0, "limit": limit, "order": list(order), "fields_names": list(fields)}
        found = self._ask(model, "search_read", asked)
        if not isinstance(found, list) or not all(isinstance(one, dict) and isinstance(one.get("id"), int) for one in found):
            raise RetryableError("NAVE-K401", what=f"{model}.search_read", reason="no list of rows")
        return found

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        """Make a row; its id."""
        return self._tongue.create(model, values)

    def write(self, model: str, number: int, values: Mapping[str, Any], stamp: str | None) -> None:
        """Change a row; RetryableError if `stamp` is not its `_timestamp` any more."""
        self._tongue.write(model, number, values, stamp)

    def press(self, model: str, number: int, button: str) -> None:
        """Press a button of a row."""
        self._tongue.press(model, number, button)

    def delete(self, model: str, number: int) -> None:
        """Delete a row."""
        self._tongue.delete(model, number)

    def _ask(self, model: str, method: str, asked: Mapping[str, Any]) -> Any:
        """What changes nothing is asked again when its answer is lost."""
        try:
            return self._tongue.ask(model, method, asked)
        except UnknownOutcome as error:
            params: dict[str, Any] = dict(error.params)
            raise RetryableError(error.code, **params) from error
        except PermanentError as error:  # no record is at fault where nothing is written
            raise ConfigError("NAVE-K404", what=f"{model}.{method}", reason=str(error.params.get("reason", ""))) from error


class _Rest:
    """REST, with a key in each call. A row's `_timestamp` is looked at right before the write: REST has no place for it."""

    def __init__(self, wire: Wire, options: TrytonOptions) -> None:
        assert options.key is not None
        company = {"company": options.company} if options.company else {}
        context = json.dumps({"active_test": False, "language": options.language, **company}).encode()
        self._wire = wire
        self._base = f"/{options.database}/rest/model/"
        self._headers = [
            f"Authorization: bearer {options.key.get_secret_value()}",
            f"X-Tryton-Context: {base64.urlsafe_b64encode(context).decode()}",
            _JSON,
        ]

    def ask(self, model: str, method: str, asked: Mapping[str, Any]) -> Any:
        return self._call("POST", f"{model}/{method}", dict(asked), asks=True)

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        made = self._call("POST", f"{model}?f=id", dict(values))
        return _number(made.get("id") if isinstance(made, dict) else None, model)

    def write(self, model: str, number: int, values: Mapping[str, Any], stamp: str | None) -> None:
        if stamp is not None:
            asked = {"domain": [["id", "=", number]], "limit": 1, "fields_names": ["_timestamp"]}
            found = self.ask(model, "search_read", asked)
            if not found or found[0].get("_timestamp") != stamp:
                raise RetryableError("NAVE-K401", what=f"{model}.write", reason="it was changed meanwhile")
        self._call("PUT", f"{model}/{number}?f=id", dict(values))

    def press(self, model: str, number: int, button: str) -> None:
        self._call("POST", f"{model}/{number}/{button}?f=id", {})

    def delete(self, model: str, number: int) -> None:
        self._call("DELETE", f"{model}/{number}", None)

    def _call(self, method: str, path: str, body: Any, *, asks: bool = False) -> Any:
        sent = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        reply = self._wire.send(method, self._base + path, self._headers, sent, asks=asks)
        what = path.partition("?")[0]
        if reply.status not in _GOOD:
            raise answered(reply.status, _said(reply), what)
        return _json(reply, what) if reply.content else None


class _Rpc:
    """JSON-RPC in a session: a wrong password is tried once, an ended session is begun anew once."""

    def __init__(self, wire: Wire, options: TrytonOptions) -> None:
        self._wire = wire
        self._options = options
        self._path = f"/{options.database}/rpc/"
        self._session: str | None = None
        self._context: Row = {}

    def ask(self, model: str, method: str, asked: Mapping[str, Any]) -> Any:
        return self._do(model, method, list(asked.values()), asks=True)

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        made = self._do(model, "create", [[dict(values)]])
        return _number(made[0] if isinstance(made, list) and made else None, model)

    def write(self, model: str, number: int, values: Mapping[str, Any], stamp: str | None) -> None:
        context = {"_timestamp": {f"{model},{number}": stamp}} if stamp is not None else {}
        self._do(model, "write", [[number], dict(values)], context)

    def press(self, model: str, number: int, button: str) -> None:
        self._do(model, button, [[number]])

    def delete(self, model: str, number: int) -> None:
        self._do(model, "delete", [[number]])

    def _do(self, model: str, method: str, params: list[Any], context: Row | None = None, *, asks: bool = False) -> Any:
        what = f"{model}.{method}"
        for fresh in (self._session is None, True):
            if self._session is None:
                self._log_in()
            sent = [*params, {**self._context, **(context or {})}]
            try:
                return self._call(f"model.{what}", sent, asks=asks)
            except LoginError:
                self._session = None
                if fresh:
                    raise
        raise AssertionError

    def _log_in(self) -> None:
        options = self._options
        assert options.user is not None
        assert options.password is not None
        secret = {"password": options.password.get_secret_value()}
        try:
            given = self._call("common.db.login", [options.user, secret, options.language], asks=True)
        except UnknownOutcome as error:
            raise RetryableError("NAVE-K401", what="common.db.login", reason="no answer") from error
        if not isinstance(given, list) or len(given) < 2:
            raise LoginError("NAVE-K402", what="common.db.login", reason="no session")
        pair = f"{options.user}:{given[0]}:{given[1]}".encode()
        self._session = base64.b64encode(pair).decode()
        preferences = self._call("model.res.user.get_preferences", [True, {}], asks=True)
        own = preferences if isinstance(preferences, dict) else {}
        self._context = {**own, "active_test": False, "language": options.language}
        if options.company:
            self._context["company"] = options.company

    def _call(self, method: str, params: list[Any], *, asks: bool) -> Any:
        headers = [_JSON, *([f"Authorization: Session {self._session}"] if self._session else [])]
        body = json.dumps({"id": 1, "method": method, "params": params}, ensure_ascii=False).encode()
        reply = self._wire.send("POST", self._path, headers, body, asks=asks)
        if reply.status not in _GOOD:
            raise answered(reply.status, _said(reply), method)
        said = _json(reply, method)
        if not isinstance(said, dict) or ("error" not in said and "result" not in said):
            raise garbled(method, "neither result nor error")
        if said.get("error") is not None:
            raise told(said["error"], method)
        return said.get("result")


def _json(reply: Answer, what: str) -> Any:
    try:
        return loads(reply.content)
    except NaveError as error:
        raise garbled(what, error.text()) from error


def _said(reply: Answer) -> Any:
    try:
        return loads(reply.content)
    except NaveError:
        return None


def _number(found: Any, model: str) -> int:
    if not isinstance(found, int) or isinstance(found, bool):
        raise garbled(f"{model}.create", "no id")
    return found
