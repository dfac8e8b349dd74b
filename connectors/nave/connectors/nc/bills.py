"""Documents on their way out: the id that stays the same in every attempt, and several bills in one post."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from nave.connectors.nc.options import LONGEST_ID, BillSinkOptions, Encoding
from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.core.protocols import Outbound

ROOT = "ufinterface"
_UNFIT = frozenset("\ufffe\uffff") | {chr(n) for n in range(32) if n not in (9, 10, 13)}


@dataclass(frozen=True, slots=True)
class Bill:
    """One document of one record."""

    record: Outbound
    id: str
    """The same for this record and type of document for ever: what the server knows repeats by."""
    kind: str
    """The type of document: `billtype` of NC, `roottag` of U8."""
    root: etree._Element

    @property
    def again(self) -> bool:
        """The server has it, in this version or an earlier one."""
        return self.record.remote_key is not None


def bill_of(record: Outbound, options: BillSinkOptions, kind: str, sender: str | None) -> Bill:
    """The document in a mapped record; `kind` names the attribute that says what it is. PermanentError NAVE-K390."""
    text = record.values.get(options.document)
    if not isinstance(text, str) or not text.strip():
        raise _no_bill(f"no text in '{options.document}'")
    root = _parsed(text)
    said = root.get(kind)
    if not said or not said.isascii() or not said.isprintable():
        raise _no_bill(f"no {kind}")
    made = f"{options.prefix}-{said}-{record.key}"
    if len(made) > LONGEST_ID or not made.isascii() or " " in made:
        raise _no_bill(f"'{short(made)}' has more than {LONGEST_ID} characters, or others than ASCII")
    if sender is not None:
        root.set("sender", sender)
    return Bill(record, made, said, root)


def _parsed(text: str) -> etree._Element:
    """A document that a mapping made: what it holds came from anywhere."""
    if any(c in _UNFIT for c in text):
        raise _no_bill("a control character")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    head = text.lstrip().removeprefix("\ufeff")
    if head.startswith("<?xml"):
        head = head.partition("?>")[2]  # the text is decoded already, whatever it says
    try:
        root = etree.fromstring(head.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise _no_bill(str(error)) from error
    if root.getroottree().docinfo.doctype:
        raise _no_bill("DOCTYPE")
    if root.tag != ROOT or len(root) != 1:
        raise _no_bill(f"'{short(root.tag)}' with {len(root)} documents in it, not '{ROOT}' with one")
    return root


def _no_bill(reason: str) -> PermanentError:
    return PermanentError("NAVE-K390", reason=short(reason, 200))


def nc_document(bills: Sequence[Bill], *, replace: bool) -> etree._Element:
    """One post of NC: the first document with the bills of all."""
    root = deepcopy(bills[0].root)
    root.set("replace", "Y" if replace else "N")
    root.set("filename", f"{bills[0].id}.xml")
    for one in bills[1:]:
        root.extend(deepcopy(list(one.root)))
    for node, one in zip(root, bills, strict=True):
        node.set("id", one.id)
    return root


def u8_document(bills: Sequence[Bill], *, replace: bool) -> etree._Element:
    """One post of U8."""
    root = deepcopy(bills[0].root)
    root.set("proc", "edit" if replace else "add")
    root.set("docid", bills[0].id)
    return root


def written(root: etree._Element, encoding: Encoding) -> bytes:
    """The document as bytes; what the encoding cannot hold (㛃 in GBK) becomes a character reference."""
    text = etree.tostring(root, encoding="unicode", with_tail=False)
    return f'<?xml version="1.0" encoding="{encoding.upper()}"?>{text}'.encode(encoding, "xmlcharrefreplace")
