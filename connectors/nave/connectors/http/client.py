"""Calls one web service with libcurl, several calls at a time in one thread, each answered or failed by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pycurl

from nave.connectors.curl import Guard, basic_login, settings
from nave.connectors.exchange import ended, failure
from nave.connectors.http.addresses import ascii_url, header_text
from nave.connectors.http.login import Bearer, Fixed, Login, Nonced
from nave.connectors.http.options import HttpOptions, Nonce
from nave.connectors.http.paths import at
from nave.connectors.http.waits import retry_after
from nave.connectors.oauth import MOST, Given, Tokens
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import Setting
from nave.formats import loads

_WAIT_SECONDS = 1.0
_STRANGER = frozenset({401, 403, 407})
_TOKEN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Call:
    """One request; without a body it only asks."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    head: list[bytes]
    body: bytes
    whole: bool
    """False where the body was cut at the size limit."""

    def header(self, name: str) -> str | None:
        """The last value of a header, whatever the case of its name."""
        wanted = name.lower().encode()
        for line in reversed(self.head):
            found, _, text = line.partition(b":")
            if found.strip().lower() == wanted:
                return text.strip().decode("latin-1")
        return None

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        wanted = name.lower().encode()
        parted = (line.partition(b":") for line in self.head)
        return [text.strip().decode("latin-1") for found, _, text in parted if found.strip().lower() == wanted]


class _Lane:
    """A handle that carries one call after the other, and what has come of the present one."""

    def __init__(self, handle: pycurl.Curl, most: int, guard: Guard) -> None:
        self.handle = handle
        self.most = most
        self.guard = guard
        handle.setopt(pycurl.OPENSOCKETFUNCTION, guard.open)
        handle.setopt(pycurl.WRITEFUNCTION, self._body)
        handle.setopt(pycurl.HEADERFUNCTION, self._head)

    def begin(self, number: int, call: Call, common: list[str]) -> None:
        self.number, self.call, self.url = number, call, call.url
        self.head: list[bytes] = []
        self.parts: list[bytes] = []
        self.room = self.most
        self.guard.refused = None
        handle = self.handle
        handle.setopt(pycurl.URL, call.url)
        handle.setopt(pycurl.HTTPHEADER, [*common, *(f"{name}: {header_text(text)}" for name, text in call.headers.items())])
        if call.method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)
            return
        if call.body is None:
            handle.setopt(pycurl.HTTPGET, 1)
        else:
            handle.setopt(pycurl.POST, 1)
            handle.setopt(pycurl.POSTFIELDS, call.body)
        handle.setopt(pycurl.CUSTOMREQUEST, call.method)

    def ended(self, number: int, reason: str) -> Answer | NaveError:
        """What the call came to; `number` is 0 where libcurl has nothing to complain of."""
        if number and self.room >= 0:
            sent = self.handle.getinfo(pycurl.REQUEST_SIZE) > 0
            return failure(self.url, number, reason, sent=sent, refused=self.guard.refused)
        if not ended(self.head):
            return failure(self.url, pycurl.E_PARTIAL_FILE, "the head of the answer broke off", sent=True)
        status = self.handle.getinfo(pycurl.RESPONSE_CODE)
        return Answer(status, self.head, b"".join(self.parts), self.room >= 0)

    def _head(self, line: bytes) -> None:
        self.head.append(line)

    def _body(self, part: bytes) -> int:
        self.parts.append(part[: self.room])
        self.room -= len(part)
        return len(part) if self.room >= 0 else 0  # taking none of it ends the transfer


class Client:
    """Keeps its connections between calls. To be used by one thread at a time.

    No redirects, no cookies but those of a nonce, no proxies, no unpacking; certificates are always verified.
    """

    def __init__(
        self, options: HttpOptions, setting: Setting, *, lanes: int = 1, most: int = 2**20, resend: bool = True
    ) -> None:
        """`most` bytes of an answer are read. `resend` allows to repeat a request whose kept connection had just ended,
        which never tells whether the request got through."""
        if options.url is None:
            raise ConfigError("NAVE-S054", name=setting.name)
        self.url = ascii_url(options.url)
        self._settings = settings(options, setting)
        if not resend:
            self._settings |= {pycurl.FRESH_CONNECT: 1, pycurl.FORBID_REUSE: 1}
        self._common = ["Accept: application/json", "Accept-Encoding: identity", "Expect:"]
        self._tokens_from: Client | None = None
        self._login = self._way_in(options, setting)
        self._multi = pycurl.CurlMulti()
        self._known = False
        self._lanes = [_Lane(self._handle(), most, Guard(self.url, public=options.public)) for _ in range(lanes)]

    def close(self) -> None:
        """Close all connections."""
        for lane in self._lanes:
            lane.handle.close()
        self._multi.close()
        if self._tokens_from is not None:
            self._tokens_from.close()

    def _way_in(self, options: HttpOptions, setting: Setting) -> Login:
        if options.nonce is not None:
            bare = options.model_copy(update={"nonce": None})
            return Nonced(self._way_in(bare, setting), partial(_fetched, options.nonce, partial(Client, bare, setting)))
        if options.oauth is None:
            return Fixed((*_login(options), *_key(options)))
        none = {"url": options.oauth.token_url, "oauth": None, "api_key": None}
        bare = options.model_copy(update={**none, "timeout": min(options.timeout, timedelta(seconds=_TOKEN_SECONDS))})
        tokens_from = self._tokens_from = Client(bare, setting, most=MOST)

        def post(url: str, headers: Mapping[str, str], body: bytes) -> Given:
            answer = tokens_from.one(Call("POST", ascii_url(url), headers, body))
            return Given(answer.status, retry_after(answer.header("Retry-After")), answer.body if answer.whole else None)

        return Bearer(Tokens(options.oauth, post, setting.folder), tuple(_key(options)))

    def one(self, call: Call) -> Answer:
        """Make one call; raises what `exchange` would give."""
        ((_, answer),) = self.exchange(iter([(0, call)]))
        if isinstance(answer, NaveError):
            raise answer
        return answer

    def exchange(self, calls: Iterator[tuple[int, Call]]) -> Iterator[tuple[int, Answer | NaveError]]:
        """Make numbered calls, as many at a time as there are lanes; gives answers as they come.

        A call is taken from `calls` only when it begins: who closes `calls` holds back the rest. Calls that are answered
        401 because a token has ended are made once more, with a new one.
        """
        turned_away: list[tuple[int, Call]] = []
        yield from self._round(calls, turned_away)
        while turned_away:
            again, turned_away = turned_away, []
            yield from self._round(iter(again), None)
            yield from self._round(calls, turned_away)

    def _round(
        self, calls: Iterator[tuple[int, Call]], turned_away: list[tuple[int, Call]] | None
    ) -> Iterator[tuple[int, Answer | NaveError]]:
        """Calls under one login. With `turned_away`, the first 401 that another login may mend ends the round."""
        try:
            common = [*self._common, *self._login.headers()]
        except NaveError as error:
            yield from ((number, error) for number, _ in calls)
            return
        # Until somebody was let in, one call at a time: eight wrong passwords at once lock an account.
        free = list(self._lanes) if self._known else self._lanes[:1]
        busy: dict[pycurl.Curl, _Lane] = {}
        try:
            while True:
                while free and not turned_away and (following := next(calls, None)) is not None:
                    lane = free.pop()
                    lane.begin(*following, common)
                    self._multi.add_handle(lane.handle)
                    busy[lane.handle] = lane
                if not busy:
                    return
                for lane, answer in self._ended(busy):
                    free.append(lane)
                    if not self._known and isinstance(answer, Answer) and answer.status not in _STRANGER:
                        self._known = True
                        free += self._lanes[1:]
                    if turned_away is not None and self._renews(answer):
                        turned_away.append((lane.number, lane.call))
                    else:
                        yield lane.number, answer
        finally:
            for handle in busy:
                self._multi.remove_handle(handle)

    def _renews(self, answer: Answer | NaveError) -> bool:
        return isinstance(answer, Answer) and answer.status in _STRANGER and self._login.refused(answer.status)

    def _ended(self, busy: dict[pycurl.Curl, _Lane]) -> Iterator[tuple[_Lane, Answer | NaveError]]:
        """Move bytes until at least one call has ended."""
        self._multi.perform()
        _, good, bad = self._multi.info_read(len(busy))
        if not good and not bad:
            self._multi.select(_WAIT_SECONDS)
        for handle, number, reason in [(handle, 0, "") for handle in good] + bad:
            lane = busy.pop(handle)
            self._multi.remove_handle(handle)
            yield lane, lane.ended(number, reason)

    def _handle(self) -> pycurl.Curl:
        handle = pycurl.Curl()
        for name, value in self._settings.items():
            handle.setopt(name, value)
        return handle


def _fetched(nonce: Nonce, opened: Callable[[], Client]) -> list[str]:
    """The header with the nonce, and the cookies of the session that it belongs to."""
    client = opened()
    try:
        answer = client.one(Call("GET", client.url + nonce.path))
    finally:
        client.close()
    if answer.status in _STRANGER:
        raise LoginError("NAVE-S060", status=answer.status, answer="")
    if not 200 <= answer.status < 300:
        raise RetryableError("NAVE-S061", status=answer.status, answer="")
    try:
        value = at(loads(answer.body), nonce.value) if answer.whole else None
    except NaveError:
        value = None
    if not isinstance(value, str) or not value:
        raise RetryableError("NAVE-S063", status=answer.status, reason=nonce.value)
    cookies = [text.split(";")[0].strip() for text in answer.all("Set-Cookie")]
    held = [f"{nonce.header}: {header_text(value)}"]
    return [*held, f"Cookie: {header_text('; '.join(cookies))}"] if cookies else held


def _login(options: HttpOptions) -> list[str]:
    if options.token is not None:
        return [f"Authorization: Bearer {header_text(options.token.get_secret_value())}"]
    return basic_login(options)


def _key(options: HttpOptions) -> list[str]:
    key = options.api_key
    return [f"{key.header}: {header_text(key.value.get_secret_value())}"] if key is not None else []
