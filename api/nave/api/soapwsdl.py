"""The description of the SOAP door of one system, made from its sources: document/literal, wrapped, SOAP 1.1 and 1.2."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

NAMESPACE = "urn:nave:soap:"
"""Followed by the name of the system."""
_STRING, _INT, _LONG, _BOOL = "xs:string", "xs:int", "xs:long", "xs:boolean"
_ANSWER = (
    '<xs:element name="receipt" type="xs:string" minOccurs="0"/><xs:element name="accepted" type="xs:int"/>'
    '<xs:element name="record" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>'
    '<xs:element name="number" type="xs:int"/><xs:element name="state" type="xs:string"/>'
    "</xs:sequence></xs:complexType></xs:element>"
)
_RECORDS = (
    '<xs:element name="record" maxOccurs="1000"><xs:complexType><xs:sequence>'
    '<xs:any processContents="skip" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>'
)
_TEXT = '<xs:element name="format" type="xs:string"/><xs:element name="text" type="xs:string"/>'
_QUERY = '<xs:element name="entity" type="xs:string"/><xs:element name="key" type="xs:string"/>'
_FOUND = (
    '<xs:element name="found" type="xs:boolean"/><xs:element name="id" type="xs:string" minOccurs="0"/>'
    '<xs:element name="version" type="xs:long" minOccurs="0"/><xs:element name="document" type="xs:string" minOccurs="0"/>'
    '<xs:element name="key" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>'
    '<xs:element name="system" type="xs:string"/><xs:element name="key" type="xs:string"/>'
    "</xs:sequence></xs:complexType></xs:element>"
)


def _optional(*listed: tuple[str, str]) -> str:
    return "".join(f'<xs:element name="{name}" type="{kind}" minOccurs="0"/>' for name, kind in listed)


_LINE = '<xs:element name="number" type="xs:int"/>' + _optional(
    *((name, _STRING) for name in ("key", "state", "code", "field", "text"))
)
_STATE = (
    _optional(("source", _STRING), ("state", _STRING), ("complete", _BOOL))
    + _optional(*((name, _LONG) for name in ("received", "applied", "unchanged", "superseded", "refused", "waiting")))
    + '<xs:element name="line" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>'
    + f"{_LINE}</xs:sequence></xs:complexType></xs:element>"
    + _optional(("next", _INT))
)
_ASKED = '<xs:element name="id" type="xs:string"/>' + _optional(("after", _INT))
_QUESTIONS = {
    "query": (_QUERY, _FOUND),
    "receipt": (_ASKED, f'<xs:element name="found" type="{_BOOL}"/>{_STATE}'),
}
_VERSIONS = (
    ("11", "soap", "http://schemas.xmlsoap.org/wsdl/soap/"),
    ("12", "soap12", "http://schemas.xmlsoap.org/wsdl/soap12/"),
)


def wsdl(system: str, sources: Iterable[str], address: str) -> bytes:
    """The WSDL for the sources of a system, by their short names; `address` is where its caller reached the door."""
    operations = _operations(sources)
    namespace = quoteattr(NAMESPACE + system)
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<wsdl:definitions name="Nave" targetNamespace={namespace} xmlns:tns={namespace}'
        ' xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"',
        *(f' xmlns:{prefix}="{uri}"' for _, prefix, uri in _VERSIONS),
        f'><wsdl:types><xs:schema targetNamespace={namespace} elementFormDefault="qualified">',
        *(_element(name, sent) + _element(f"{name}Response", said) for name, (sent, said) in operations.items()),
        "</xs:schema></wsdl:types>",
        *(_message(name, name) + _message(f"{name}Response", f"{name}Response") for name in operations),
        '<wsdl:portType name="Nave">',
        *(_port_operation(name) for name in operations),
        "</wsdl:portType>",
        *(_binding(number, prefix, operations) for number, prefix, _ in _VERSIONS),
        '<wsdl:service name="Nave">',
        *(_port(number, prefix, address) for number, prefix, _ in _VERSIONS),
        "</wsdl:service></wsdl:definitions>",
    ]
    return "\n".join(parts).encode()


def _operations(sources: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Each operation with the elements that it takes and gives."""
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(sources):
        found[f"submit_{name}"] = (_RECORDS, _ANSWER)
        found[f"submitText_{name}"] = (_TEXT, _ANSWER)
    return {**found, **_QUESTIONS}


def _element(name: str, inner: str) -> str:
    return f'<xs:element name="{name}"><xs:complexType><xs:sequence>{inner}</xs:sequence></xs:complexType></xs:element>'


def _message(name: str, element: str) -> str:
    return f'<wsdl:message name="{name}"><wsdl:part name="parameters" element="tns:{element}"/></wsdl:message>'


def _port_operation(name: str) -> str:
    ends = f'<wsdl:input message="tns:{name}"/><wsdl:output message="tns:{name}Response"/>'
    return f'<wsdl:operation name="{name}">{ends}</wsdl:operation>'


def _binding(number: str, prefix: str, operations: Iterable[str]) -> str:
    body = f'<{prefix}:body use="literal"/>'
    listed = "".join(
        f'<wsdl:operation name="{name}"><{prefix}:operation soapAction="{name}"/>'
        f"<wsdl:input>{body}</wsdl:input><wsdl:output>{body}</wsdl:output></wsdl:operation>"
        for name in operations
    )
    how = f'<{prefix}:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>'
    return f'<wsdl:binding name="Nave{number}" type="tns:Nave">{how}{listed}</wsdl:binding>'


def _port(number: str, prefix: str, address: str) -> str:
    where = f"<{prefix}:address location={quoteattr(address)}/>"
    return f'<wsdl:port name="Nave{number}" binding="tns:Nave{number}">{where}</wsdl:port>'
