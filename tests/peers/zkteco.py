"""A stand-in for a ZKTeco clock: it speaks as documented, and sends everything again unless it hears exactly OK."""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlencode

_OK = re.compile(r"OK(: ?\d+)?\s*")


@dataclass
class Clock:
    """One clock with its memory of punches; `sent` is how far it believes that the server has them."""

    serial: str
    port: int
    key: str | None = None
    suffix: str = ""
    """`.aspx` for some firmware."""
    root: str = "/iclock"
    """`/iclock/iclock` for other firmware."""
    block: int = 50
    memory: list[str] = field(default_factory=list)
    sent: int = 0
    answers: list[tuple[int, str]] = field(default_factory=list)

    def punch(self, pin: str, time: str, status: int = 0, verify: int = 15) -> None:
        """Somebody stands before it."""
        self.memory.append(f"{pin}\t{time}\t{status}\t{verify}\t0\t0\t0\t")

    def ask(self, method: str, what: str, body: bytes | None = None, **query: str) -> tuple[int, str]:
        """One request as the clock makes it: HTTP/1.1 without any headers that say what the body is."""
        path = f"{self.root}/{what}{self.suffix}?{urlencode({'SN': self.serial, **query})}"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            said = answer.status, answer.read().decode()
        self.answers.append(said)
        return said

    def begin(self, version: str = "2.4.1") -> dict[str, str]:
        """Ask for its options, and go back to the stamp that the server has; {} if it is turned away."""
        shown = {} if self.key is None else {"pushcommkey": self.key}
        status, text = self.ask("GET", "cdata", None, options="all", pushver=version, language="83", **shown)
        if status != 200 or not text.startswith(f"GET OPTION FROM: {self.serial}"):
            return {}
        options = dict(line.split("=", 1) for line in text.splitlines()[1:])
        stamp = options.get("ATTLOGStamp", options.get("Stamp", "0"))
        self.sent = 0 if stamp in ("0", "None") else int(stamp)
        return options

    def push(self) -> bool:
        """Send what it has, block by block, until a block is not answered OK."""
        while self.sent < len(self.memory):
            block = self.memory[self.sent : self.sent + self.block]
            if not self.offer(block, self.sent + len(block)):
                return False
            self.sent += len(block)
        return True

    def offer(self, block: Sequence[str], stamp: int | str, table: str = "ATTLOG") -> bool:
        """One block; whether the answer was exactly OK. A server that is away is no answer."""
        body = "".join(f"{line}\n" for line in block).encode()
        try:
            status, text = self.ask("POST", "cdata", body, table=table, Stamp=str(stamp))
        except (OSError, http.client.HTTPException):
            return False
        return status == 200 and _OK.fullmatch(text) is not None
