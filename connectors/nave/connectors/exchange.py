"""One exchange with a service by libcurl: its whole answer, or an error that says whether the request can have arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pycurl

from nave.connectors.curl import Guard
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError, UnknownOutcome

_Row = tuple[type[NaveError], str]
_NOT_REACHED: _Row = (RetryableError, "NAVE-S050")
_NO_ANSWER: _Row = (UnknownOutcome, "NAVE-S051")
_CERTIFICATE: _Row = (ConfigError, "NAVE-S052")
_PROTOCOL: _Row = (ConfigError, "NAVE-K245")
_REQUEST: _Row = (ConfigError, "NAVE-S053")

_UNSENT: Mapping[int, _Row] = {
    pycurl.E_PEER_FAILED_VERIFICATION: _CERTIFICATE,
    pycurl.E_SSL_CONNECT_ERROR: _PROTOCOL,
    pycurl.E_SSL_ISSUER_ERROR: _CERTIFICATE,
    pycurl.E_SSL_CACERT_BADFILE: _CERTIFICATE,
    pycurl.E_SSL_INVALIDCERTSTATUS: _CERTIFICATE,
    pycurl.E_URL_MALFORMAT: _REQUEST,
    pycurl.E_UNSUPPORTED_PROTOCOL: _REQUEST,
    pycurl.E_BAD_FUNCTION_ARGUMENT: _REQUEST,
}
"""Where no byte of a request has left, all else means that nobody could be reached."""
_BLANK = (b"\r\n", b"\n")
_WHOLE = ([b"\r\n"], [b"\n"])
"""The last line of nearly all."""
_LONGEST_WAIT = 86_400.0


class Failing(Protocol):
    """What a failure of libcurl's comes to."""

    def __call__(self, url: str, number: int, reason: str, *, sent: bool, refused: str | None = None) -> NaveError: ...


def failure(url: str, number: int, reason: str, *, sent: bool, refused: str | None = None) -> NaveError:
    """RetryableError when nothing was sent, UnknownOutcome when it may have arrived, ConfigError for what stays wrong.

    `refused` is an address that the guard did not let it go to.
    `number` and `reason` are libcurl's; see https://curl.se/libcurl/c/libcurl-errors.html.
    """
    if refused is not None and number == pycurl.E_COULDNT_CONNECT and not sent:
        return ConfigError("NAVE-K254", url=short(url, 200), address=refused)
    kind, code = _NO_ANSWER if sent else _UNSENT.get(number, _NOT_REACHED)
    return kind(code, url=short(url, 200), reason=short(reason or f"libcurl {number}", 200))


def ended(head: list[bytes]) -> bool:
    """Whether the head of an answer came whole: libcurl takes one that breaks off for a whole one."""
    return head[-1:] in _WHOLE or any(line in _BLANK for line in head)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    head: list[bytes]
    content: bytes

    @property
    def retry_after(self) -> float | None:
        """The seconds that the service asks to wait, if it does."""
        for line in self.head:
            name, _, text = line.partition(b":")
            if name.strip().lower() == b"retry-after" and text.strip().isdigit():
                return min(float(text.strip()[:9]), _LONGEST_WAIT)
        return None


def exchange(
    handle: pycurl.Curl,
    url: str,
    request: Mapping[int, Any],
    most: int,
    too_large: Callable[[str], NaveError],
    fail: Failing = failure,
) -> Answer:
    """Send what `request`, a set of libcurl's options, says, and take up to `most` bytes of answer.

    `url` is the service's address, for its guard and for errors; pycurl.URL may say more, which no error repeats.
    """
    head: list[bytes] = []
    body, guard = _Body(most), Guard(url)
    handle.reset()  # options only: the connection is kept
    for name, value in request.items():
        handle.setopt(name, value)
    handle.setopt(pycurl.HEADERFUNCTION, head.append)
    handle.setopt(pycurl.WRITEFUNCTION, body.take)
    handle.setopt(pycurl.OPENSOCKETFUNCTION, guard.open)
    try:
        with translating(url, fail, handle, guard):
            handle.perform()
    except NaveError as error:
        if body.room < 0:
            raise too_large(f"> {most} B") from error
        raise
    if not ended(head):
        raise fail(url, pycurl.E_PARTIAL_FILE, "the head of the answer broke off", sent=True)
    return Answer(handle.getinfo(pycurl.RESPONSE_CODE), head, b"".join(body.parts))


@contextmanager
def translating(
    url: str, fail: Failing = failure, handle: pycurl.Curl | None = None, guard: Guard | None = None
) -> Iterator[None]:
    """What libcurl raises becomes what `fail` makes of it; without a handle nothing counts as sent."""
    try:
        yield
    except pycurl.error as error:
        number = int(error.args[0]) if error.args else 0
        reason = str(error.args[1]) if len(error.args) > 1 else ""
        sent = handle is not None and handle.getinfo(pycurl.REQUEST_SIZE) > 0
        raise fail(url, number, reason, sent=sent, refused=guard.refused if guard else None) from error


class _Body:
    """Collects an answer up to a size."""

    def __init__(self, most: int) -> None:
        self.parts: list[bytes] = []
        self.room = most

    def take(self, part: bytes) -> int:
        self.room -= len(part)
        if self.room < 0:
            return 0  # taking none of it ends the transfer
        self.parts.append(part)
        return len(part)
