"""One service behind one address: opens its operations, calls them, and tells a fault from an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import TracebackType
from typing import Any

from zeep import Client
from zeep.exceptions import Fault
from zeep.proxy import ServiceProxy
from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding, SoapBinding
from zeep.wsse.username import UsernameToken

from nave.connectors.soap.errors import reading, sending
from nave.connectors.soap.options import SoapOptions
from nave.connectors.soap.plain import plain
from nave.connectors.soap.wire import Reply, Wire
from nave.connectors.soap.wsdl import described
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Setting

RAW = 2_000
"""Characters of an answer that a receipt keeps."""
_VERSIONS = {"1.1": Soap11Binding, "1.2": Soap12Binding}
_LOCAL = "}"
_NO_ENTRY = frozenset({401, 403, 407})
_SET_UP = _NO_ENTRY | {301, 302, 303, 307, 308, 404, 405, 410, 415}
"""Wrong for every record alike, since all calls go to one address: the flow stops."""
_LATER = frozenset({408, 425, 429, 503})


@dataclass(frozen=True, slots=True)
class Told:
    """What an operation answered: values, or a fault with its codes (the most particular first) and its text."""

    values: Any
    raw: str
    codes: tuple[str, ...] = ()
    text: str = ""

    @property
    def faulted(self) -> bool:
        """Whether it is a fault."""
        return bool(self.codes)


class Operation:
    """One operation; may be called by several threads at a time."""

    def __init__(self, client: Client, binding: SoapBinding, name: str, wire: Wire) -> None:
        self._client, self._binding, self._name, self._wire = client, binding, name, wire
        self._proxy = ServiceProxy(client, binding, address=wire.url)
        self._alone = _alone(binding.get(name))

    def __call__(self, arguments: Mapping[str, Any]) -> Told:
        """Call it. A PermanentError for arguments that do not fit, UnknownOutcome where it may have been done, else
        RetryableError or ConfigError."""
        with sending(self._name):
            reply: Reply = self._proxy[self._name](**arguments)
        raw = reply.content[: RAW * 4].decode("utf-8", "replace")[:RAW]
        if reply.status_code in _SET_UP:
            raise _refused(reply, raw)
        try:
            with reading(self._wire.url):
                values = self._binding.process_reply(self._client, self._binding.get(self._name), reply)
                return Told(plain(values, self._alone), raw)
        except Fault as fault:
            codes = _codes(fault)
            if not codes:  # a document that is no fault, under a status that is no success
                raise _refused(reply, raw) from fault
            return Told(None, raw, codes, short(fault.message or "", 200))
        except UnknownOutcome as error:
            if 200 <= reply.status_code < 300:
                raise
            raise _refused(reply, raw) from error


def _alone(operation: Any) -> str | None:
    """The name of the answer's one element, which zeep takes off: paths are to be the same for one element and for two."""
    body: Any = operation.output.body if operation.output is not None else None
    found: str | None = None
    for _ in range(2):
        elements = getattr(body.type, "elements", []) if body is not None else []
        if len(elements) != 1 or getattr(body.type, "attributes", []):
            break
        name, body = elements[0]
        found = str(name)
        if body.accepts_multiple:
            break
    return found


class Service:
    """The service of a connection."""

    def __init__(self, connection: SoapOptions, setting: Setting, *, resend: bool = True) -> None:
        self._options = connection
        self._client = described(connection.wsdl, setting.folder)
        self.wire = Wire(connection, setting, resend=resend)
        self._client.transport = self.wire
        self._client.settings.raw_response = True
        token = connection.token
        if token is not None:
            said = token.password.get_secret_value()
            self._client.wsse = UsernameToken(token.user, said, use_digest=token.form == "digest", zulu_timestamp=True)

    def __enter__(self) -> Service:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.wire.close()

    def operation(self, name: str) -> Operation:
        """The operation of that name; a ConfigError, with the names that are near, if there is none."""
        known: list[str] = []
        for port, binding in self._bindings():
            if self._options.port in (None, port):
                if name in binding.all():
                    return Operation(self._client, binding, name, self.wire)
                known += binding.all()
        near = ", ".join(get_close_matches(name, dict.fromkeys(known))) or ", ".join(sorted(set(known))[:10]) or "-"
        raise ConfigError("NAVE-K228", file=str(self._options.wsdl.file), operation=name, near=short(near, 200))

    def _bindings(self) -> Iterator[tuple[str, SoapBinding]]:
        wanted = _VERSIONS.get(self._options.version or "", SoapBinding)
        for service in self._client.wsdl.services.values():
            for name, port in service.ports.items():
                if isinstance(port.binding, wanted):
                    yield name, port.binding

    def reach(self) -> None:
        """Ask the address for its headers: any answer but "who are you" will do, since many services know only POST."""
        reply = self.wire.ask()
        if reply.status_code in _NO_ENTRY:
            raise _refused(reply, "")


def _refused(reply: Reply, raw: str) -> NaveError:
    """What an answer without a SOAP message means, by its status."""
    status = reply.status_code
    params: dict[str, Any] = {"status": status, "answer": short(raw)}
    if status in _NO_ENTRY:
        return LoginError("NAVE-K226", **params)
    if status in _SET_UP:
        return ConfigError("NAVE-K226", **params)
    if status in _LATER:
        after = reply.headers.get("retry-after", "")
        return RetryableError("NAVE-K226", after=min(float(after), 86_400.0) if after.isdecimal() else None, **params)
    if 400 <= status < 500:
        return PermanentError("NAVE-K226", **params)
    return UnknownOutcome("NAVE-K226", **params)


def _codes(fault: Fault) -> tuple[str, ...]:
    """Names by which a fault may be meant, without prefixes: subcodes, elements of its detail, its code, its families."""
    subs = [getattr(sub, "localname", str(sub)) for sub in fault.subcodes or ()]
    details = [
        child.tag.rpartition(_LOCAL)[2]
        for child in (fault.detail if hasattr(fault.detail, "tag") else ())
        if isinstance(child.tag, str)
    ]
    code = (fault.code or "").strip().rpartition(":")[2]
    parts = code.split(".")
    families = [".".join(parts[:count]) for count in range(len(parts), 0, -1)] if code else []
    return tuple(short(name) for name in [*reversed(subs), *details[:5], *families]) if code else ()
