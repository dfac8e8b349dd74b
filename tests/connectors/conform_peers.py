"""Real servers for the conformance kit, as its configuration would name them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.servers import postgres, postgres_programs, rabbitmq_node, rabbitmq_programs
from tests.servers.dovecot import PASSWORD as MAIL_PASSWORD
from tests.servers.dovecot import Dovecot, dovecot, dovecot_program
from tests.servers.openssh import Sshd, sshd, sshd_program
from tests.servers.rabbitmq import PASSWORD, USER, VHOST
from tests.servers.samba import Smbd, smbd, smbd_program
from tests.servers.smtp import USER as MAIL_USER
from tests.servers.smtp import Exim, exim, exim_program
from tests.servers.tryton import DATABASE, Erp, tryton, tryton_home
from tests.servers.vsftpd import Ftpd, vsftpd, vsftpd_program

Config = Mapping[str, Any]


def of_rabbitmq(url: str) -> Config:
    """The test node's shared virtual host."""
    return {"url": f"amqp://127.0.0.1:{urlsplit(url).port}/{VHOST}", "user": USER, "password": PASSWORD}


def of_sshd(server: Sshd, folder: Path) -> Config:
    """A folder on the test server."""
    url = f"sftp://127.0.0.1:{server.port}{folder}"
    return {"url": url, "user": server.user, "key": str(server.key), "host_key": server.fingerprint}


def of_ftpd(server: Ftpd, folder: Path) -> Config:
    """A folder on the test server."""
    url = f"ftp://127.0.0.1:{server.port}{folder}"
    return {"url": url, "user": server.user, "password": server.password, "ca": str(server.ca)}


def of_smbd(server: Smbd) -> Config:
    """The test server's share."""
    return {"url": f"smb://127.0.0.1:{server.port}/drop", "user": server.user, "password": server.password}


def of_mail(mailboxes: Dovecot, post: Exim) -> Config:
    """A mailbox of the test server, and the one that delivers into it."""
    return {
        "smtp": f"smtp://127.0.0.1:{post.smtp}",
        "imap": f"imaps://127.0.0.1:{mailboxes.imaps}",
        "user": MAIL_USER,
        "password": MAIL_PASSWORD,
        "ca": str(mailboxes.certificate),
        "to": f"{MAIL_USER}@example.test",
    }


def of_tryton(erp: Erp) -> Config:
    """The test server's database."""
    return {"url": erp.url, "database": DATABASE, "company": erp.company, "key": erp.key}


@contextmanager
def _postgres() -> Iterator[Config]:
    programs = postgres_programs()
    assert programs is not None
    with postgres(programs) as url:
        yield {"url": url}


@contextmanager
def _sshd() -> Iterator[Config]:
    program = sshd_program()
    assert program is not None
    with sshd(program) as server, tempfile.TemporaryDirectory() as folder:
        yield of_sshd(server, Path(folder))


@contextmanager
def _rabbitmq() -> Iterator[Config]:
    programs = rabbitmq_programs()
    assert programs is not None
    with rabbitmq_node(programs) as node:
        yield of_rabbitmq(node.url)


@contextmanager
def _ftpd() -> Iterator[Config]:
    program = vsftpd_program()
    assert program is not None
    with vsftpd(program) as server, tempfile.TemporaryDirectory() as folder:
        yield of_ftpd(server, Path(folder))


@contextmanager
def _smbd() -> Iterator[Config]:
    program = smbd_program()
    assert program is not None
    with smbd(program) as server:
        yield of_smbd(server)


@contextmanager
def _mail() -> Iterator[Config]:
    mailboxes, post = dovecot_program(), exim_program()
    assert mailboxes is not None
    assert post is not None
    with dovecot(mailboxes) as there, exim(post, there) as server:
        yield of_mail(there, server)


@contextmanager
def _tryton() -> Iterator[Config]:
    home = tryton_home()
    assert home is not None
    with tryton(home) as erp:
        yield of_tryton(erp)


SERVERS: Mapping[str, Callable[[], AbstractContextManager[Config]]] = {
    "sql": _postgres,
    "sftp": _sshd,
    "ftp": _ftpd,
    "smb": _smbd,
    "amqp": _rabbitmq,
    "mail": _mail,
    "tryton": _tryton,
}
"""Connector -> a server of its own; the others need none."""
