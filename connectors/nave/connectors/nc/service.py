"""A web service of NC that takes a document as one text and answers with one: SOAP around what the servlet takes bare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from nave.connectors.exchange import Answer
from nave.connectors.nc.options import NcOptions, TextCall
from nave.connectors.nc.receipts import shown, unclear
from nave.connectors.nc.wire import Wire, servlet
from nave.core.protocols import Setting

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


class TextService:
    """Stands where the servlet's wire does."""

    def __init__(self, options: NcOptions, service: TextCall, setting: Setting) -> None:
        self._options = options
        self._service = service
        self._wire = Wire(options, setting, options.path, {}, "text/xml; charset=utf-8")
        self.url = self._wire.url

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()

    def ask(self) -> Answer:
        """Ask for the headers: nothing is posted."""
        return self._wire.ask()

    def post(self, body: bytes, headers: Sequence[str] = ()) -> Answer:
        """Post one document; the text of the answer in place of the answer. A fault inside a good status is no receipt."""
        reply = self._wire.post(self._wrapped(body), ['SOAPAction: ""', *headers])
        if not 200 <= reply.status < 300:
            return reply
        return Answer(reply.status, reply.head, self._text(reply.content).encode())

    def _wrapped(self, body: bytes) -> bytes:
        """The document goes as text: what an address would say stands in its head, and its encoding is the text's."""
        root = _parsed(body)
        for attribute, value in self._options.query.items():
            root.set(attribute, value)
        text = '<?xml version="1.0" encoding="UTF-8"?>' + etree.tostring(root, encoding="unicode")
        call, argument = self._service.operation, self._service.argument
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}"><s:Body>'
            f'<n:{call} xmlns:n="{escape(self._service.namespace, {chr(34): "&quot;"})}">'
            f"<{argument}>{escape(text)}</{argument}></n:{call}></s:Body></s:Envelope>"
        ).encode()

    def _text(self, content: bytes) -> str:
        """The one text in the answer. UnknownOutcome NAVE-K392 where there is none, or a fault."""
        try:
            root = _parsed(content)
        except etree.XMLSyntaxError as error:
            raise unclear(self.url, str(error)) from error
        body = root.find(f"{{{_SOAP}}}Body")
        if root.getroottree().docinfo.doctype or body is None or body.find(f"{{{_SOAP}}}Fault") is not None:
            raise unclear(self.url, shown(content))
        texts = [one.text for one in body.iter() if isinstance(one.tag, str) and one.text and one.text.strip()]
        if len(texts) != 1:
            raise unclear(self.url, f"{len(texts)} texts in the answer")
        return str(texts[0])


def way(options: NcOptions, setting: Setting) -> Wire | TextService:
    """To the servlet, or to a web service where the options name one."""
    return TextService(options, options.service, setting) if options.service is not None else servlet(options, setting)


def _parsed(content: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    return etree.fromstring(content, parser)
