"""Whose mail is read. The From of a mail is no proof of anything; what the own mail server found out about it is."""

from __future__ import annotations

import fnmatch
import re
from email.message import Message
from email.utils import getaddresses

from nave.connectors.mail.headers import every
from nave.connectors.mail.options import MailSourceOptions

_ADDRESS = re.compile(r"[^\s@<>()\"',:;\\]+@[a-z0-9.-]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_COMMENT = re.compile(r"\([^()]*\)")
_PASSED = re.compile(r"\s*dmarc\s*=\s*pass\b", re.IGNORECASE)


def sender(message: Message) -> str:
    """The one address that a mail says it is from, in small letters; empty where that is not one."""
    told = every(message, "from")
    found = getaddresses(told)
    address = found[0][1].lower() if len(told) == len(found) == 1 else ""
    return address if _ADDRESS.fullmatch(address) else ""


def unwelcome(message: Message, options: MailSourceOptions) -> str:
    """Why a mail is not read: `sender` or `authentication`; empty where it is."""
    address = sender(message)
    if options.senders is not None and not any(fnmatch.fnmatchcase(address, one) for one in options.senders):
        return "sender"
    if options.authenticated_by is not None and not authenticated(message, options.authenticated_by):
        return "authentication"
    return ""


def authenticated(message: Message, server: str) -> bool:
    """Whether the topmost Authentication-Results (RFC 8601) is of that server, and has dmarc=pass.

    The server puts its own on top; those further down were there before, and anybody may have written them.
    """
    told = every(message, "authentication-results")
    if not told or len(told[0]) > 20_000:
        return False
    text = _QUOTED.sub('""', told[0])
    while (shorter := _COMMENT.sub(" ", text)) != text:
        text = shorter
    who, *results = text.split(";")
    named = who.split()
    return bool(named) and named[0].lower() == server.lower() and any(_PASSED.match(one) for one in results)
