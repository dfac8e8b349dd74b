"""A stand-in for the exchange platform of NC, written from what is documented of it, its ugliness included. It is no NC.

    python -m tests.peers.nc PORT BOOK        # serves until it is killed; BOOK is an SQLite file

Receipts are GBK under a declaration of UTF-8; a post is booked whole or not at all; innocent neighbours get -31004, and a
`content` all the same; failures come with 200. Faults and archives stand in the book, where tests write them.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from tests.servers import free_port

_TABLES = """
CREATE TABLE IF NOT EXISTS xx_idcontrastpk (pk_docid TEXT, billtype TEXT, org TEXT, billpk TEXT, body TEXT,
    changes INTEGER DEFAULT 0, approved INTEGER DEFAULT 0, PRIMARY KEY (billtype, org, pk_docid));
CREATE TABLE IF NOT EXISTS archive (kind TEXT, code TEXT, PRIMARY KEY (kind, code));
CREATE TABLE IF NOT EXISTS fault (number INTEGER PRIMARY KEY, name TEXT, seconds REAL);
CREATE TABLE IF NOT EXISTS post (number INTEGER PRIMARY KEY, at REAL, query TEXT, head TEXT, ids TEXT);
"""
_ARCHIVES = {"customer": "客户", "material": "物料", "pk_balatype": "结算方式"}
OK, FAILED, ROLLED_BACK = "1", "-32000", "-31004"
_NULL = "java.lang.NullPointerException\n\tat nc.bs.arap.ArapBillPlugin.processBill(ArapBillPlugin.java:215)"


class Refused(Exception):
    """The plug-in's exception."""


@dataclass
class Result:
    """One `sendresult`."""

    id: str
    code: str
    text: str
    content: str = ""


class Platform:
    """The book, and what is done with a document."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lock = threading.Lock()
        with closing(self.open()) as book:
            book.executescript(_TABLES)

    def open(self) -> sqlite3.Connection:
        book = sqlite3.connect(self.file, timeout=30, isolation_level=None)
        book.execute("PRAGMA synchronous=OFF")  # nobody kills this process and looks what is left
        return book

    def fault(self) -> tuple[str, float] | None:
        """The next fault in the book, once."""
        with closing(self.open()) as book:
            rows = book.execute("DELETE FROM fault WHERE number=(SELECT min(number) FROM fault) RETURNING name, seconds")
            return next(iter(rows.fetchall()), None)

    def take(self, root: etree._Element, query: Mapping[str, str]) -> list[Result]:
        """All bills of a post, or none."""
        said = {**dict(root.attrib), **query}
        with self.lock, closing(self.open()) as book:
            self._note(book, root, query)
            book.execute("BEGIN IMMEDIATE")
            results = [self._one(book, node, said) for node in root]
            if all(one.code == OK for one in results):
                book.execute("COMMIT")
                return results
            book.execute("ROLLBACK")
        for one in results:
            if one.code == OK:
                one.code, one.text = ROLLED_BACK, "同一次提交中有单据处理失败，已回滚"
        return results

    def _note(self, book: sqlite3.Connection, root: etree._Element, query: Mapping[str, str]) -> None:
        ids = " ".join(node.get("id") or "" for node in root)
        row = (time.time(), repr(dict(query)), repr(dict(root.attrib)), ids)
        book.execute("INSERT INTO post (at, query, head, ids) VALUES (?, ?, ?, ?)", row)

    def _one(self, book: sqlite3.Connection, node: etree._Element, said: Mapping[str, str]) -> Result:
        name = node.get("id") or os.urandom(8).hex()
        try:
            return Result(name, OK, "", self._booked(book, name, node, said))
        except Refused as error:
            return Result(name, FAILED, str(error))

    def _booked(self, book: sqlite3.Connection, name: str, node: etree._Element, said: Mapping[str, str]) -> str:
        if not said.get("account"):
            raise Refused("帐套编码不能为空")
        if said.get("groupcode") == "G9" and not said.get("operator"):
            raise Refused("不正确的用户类型")
        if said.get("isexchange", "Y") == "Y":
            self._translate(book, node)
        if node.findtext(".//money") == "13.00":
            raise Refused(_NULL)
        key = (said["billtype"], said.get("groupcode") or said.get("receiver") or "", name)
        where = "billtype=? AND org=? AND pk_docid=?"
        body = etree.tostring(node, encoding="unicode")
        held = book.execute(f"SELECT billpk, approved FROM xx_idcontrastpk WHERE {where}", key).fetchone()
        if held is None:
            made = "1001A1" + os.urandom(7).hex().upper()
            row = (name, key[0], key[1], made, body)
            book.execute("INSERT INTO xx_idcontrastpk (pk_docid, billtype, org, billpk, body) VALUES (?,?,?,?,?)", row)
            return made
        if said.get("replace", "Y") == "N":
            raise Refused(f"单据{name}已导入，不允许重复导入单据，如需更新请将replace标志设为‘Y’")
        if held[1]:
            raise Refused("单据已审核，不允许修改")
        book.execute(f"UPDATE xx_idcontrastpk SET body=?, changes=changes+1 WHERE {where}", (body, *key))
        return str(held[0])

    def _translate(self, book: sqlite3.Connection, node: etree._Element) -> None:
        for tag, title in _ARCHIVES.items():
            known = {row[0] for row in book.execute("SELECT code FROM archive WHERE kind=?", (tag,))}
            for found in node.iter(tag):
                if known and found.text not in known:
                    raise Refused(f"字段{tag}翻译出错：{title}[{found.text}]在数据对照中未找到")


def receipt(results: list[Result], said: Mapping[str, str]) -> bytes:
    """GBK, whatever it declares."""
    good = "Y" if all(one.code == OK for one in results) else "N"
    echoed = {**dict(said), "roottag": "sendresult", "successful": good}
    head = "".join(f" {name}={quoteattr(value)}" for name, value in echoed.items())
    rows = "".join(
        "<sendresult><billpk></billpk>"
        f"<bdocid>{escape(one.id)}</bdocid><filename>{escape(said.get('filename', ''))}</filename>"
        f"<resultcode>{one.code}</resultcode>"
        f"<resultdescription>单据{escape(one.id)}开始处理...\n{escape(one.text)}\n单据{escape(one.id)}处理完毕!</resultdescription>"
        f"<content>{escape(one.content)}</content></sendresult>"
        for one in results
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ufinterface{head}>{rows}</ufinterface>'.encode(
        "gbk", "xmlcharrefreplace"
    )


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    platform: Platform

    def do_HEAD(self) -> None:
        status = 200 if urlsplit(self.path).path == "/service/XChangeServlet" else 404
        self._answer(status, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        fault, seconds = self.platform.fault() or ("", 0.0)
        if fault == "busy":
            self._answer(503, b"")
            return
        if fault == "lost":  # before anything is done
            self._cut(b"")
            return
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        answer = receipt(self.platform.take(root, query), dict(root.attrib))
        if fault == "late":
            time.sleep(seconds)
        if fault == "dropped":
            self._cut(b"")
        elif fault == "cut":
            self._cut(self._head(200, len(answer)) + answer[: len(answer) * 2 // 3])
        elif fault == "short":
            self._answer(200, answer[: len(answer) * 2 // 3])
        elif fault == "page":
            self._answer(200, "<html>系统维护中</html>".encode("gbk"))
        else:
            self._answer(200, answer)

    def _head(self, status: int, length: int) -> bytes:
        return f"HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n".encode()

    def _answer(self, status: int, body: bytes) -> None:
        try:
            self.wfile.write(self._head(status, len(body)) + body)
        except OSError:
            self.close_connection = True

    def _cut(self, some: bytes) -> None:
        self.close_connection = True
        self.wfile.write(some)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(not some), 0))
        self.connection.close() if not some else self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_said: Any) -> None:
        """Says nothing."""


@dataclass(frozen=True)
class NcStandIn:
    """The running stand-in, as tests hold it."""

    url: str
    file: Path

    def _run(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.file, timeout=30, isolation_level=None)) as book:
            return book.execute(statement, values).fetchall()

    def bills(self) -> dict[str, tuple[str, int, str]]:
        """Id -> (key, how often it was changed, the bill)."""
        rows = self._run("SELECT pk_docid, billpk, changes, body FROM xx_idcontrastpk ORDER BY rowid")
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def posts(self) -> list[tuple[dict[str, str], dict[str, str], list[str]]]:
        """Of each post that was looked at: parameters, attributes and ids."""
        import ast

        rows = self._run("SELECT query, head, ids FROM post ORDER BY number")
        return [(ast.literal_eval(row[0]), ast.literal_eval(row[1]), row[2].split(" ")) for row in rows]

    def fail(self, *names: str, seconds: float = 0.0) -> None:
        """Faults of the next posts: busy, lost, dropped, cut, short, page, late; empty for none."""
        for name in names:
            self._run("INSERT INTO fault (name, seconds) VALUES (?, ?)", name, seconds)

    def faults(self) -> int:
        """How many faults are left."""
        return int(self._run("SELECT count(*) FROM fault")[0][0])

    def know(self, kind: str, *codes: str) -> None:
        """Put codes into an archive; one without any knows all."""
        for code in codes:
            self._run("INSERT OR IGNORE INTO archive VALUES (?, ?)", kind, code)

    def approve(self, name: str) -> None:
        """Nobody may change it from now on."""
        self._run("UPDATE xx_idcontrastpk SET approved=1 WHERE pk_docid=?", name)

    def clear(self) -> None:
        """Forget everything."""
        for table in ("xx_idcontrastpk", "archive", "fault", "post"):
            self._run(f"DELETE FROM {table}")


@contextmanager
def nc_stand_in(folder: Path) -> Iterator[NcStandIn]:
    """A process of its own, up as long as the block runs."""
    port, file = free_port(), folder / "nc-book.db"
    process = subprocess.Popen([sys.executable, "-m", "tests.peers.nc", str(port), str(file)])
    try:
        _wait_for(port, process)
        yield NcStandIn(f"http://127.0.0.1:{port}", file)
    finally:
        process.kill()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
            continue
        return
    raise RuntimeError("the stand-in of NC does not start")


class Server(ThreadingHTTPServer):
    """Callers that go away are what it is there for."""

    daemon_threads = True

    def handle_error(self, *_about: Any) -> None:
        """Says nothing."""


def main(port: int, file: Path) -> None:
    """Serve until killed."""
    Handler.platform = Platform(file)
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
