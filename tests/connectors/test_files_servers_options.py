"""Connections to file servers that need none to be found out: options that make no sense, and nobody at the other end."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.files.far import FarOptions
from nave.core.errors import RetryableError
from nave.core.protocols import Setting
from tests.connectors.far import WAYS

_SECRET = {"user": "erp", "password": "geheim"}
_GOOD: dict[str, dict[str, Any]] = {
    "sftp": {"url": "sftp://host/in", **_SECRET, "host_key": "SHA256:" + "a" * 43},
    "ftp": {"url": "ftp://host/in", **_SECRET},
    "smb": {"url": "smb://host/share/in", **_SECRET},
}
_SENSELESS: dict[str, list[dict[str, Any]]] = {
    "sftp": [
        {"url": "ftp://host/in"},
        {"url": "sftp://user:secret@host/in"},
        {"url": "sftp://host/../in"},
        {"url": "sftp:///in"},
        {"host_key": "aa:bb"},
        {"known_hosts": "known_hosts"},
        {"key": "both"},
    ],
    "ftp": [
        {"url": "sftp://host/in"},
        {"url": "ftp://user:secret@host/in"},
        {"url": "ftp://host/../in"},
        {"url": "ftp://host/a%0d%0aDELE%20x"},
        {"url": "ftp:///in"},
        {"user": "erp\r\nDELE x"},
        {"password": "a\nb"},
        {"ca": "ca.pem", "tls": False},
        {"names": "latin-1"},
    ],
    "smb": [
        {"url": "smb://host"},
        {"url": "smb://host/"},
        {"url": "smb://host/share/../in"},
        {"url": "smb://host/share//in"},
        {"url": "smb://host/share/a%5Cb"},
        {"url": "smb://user:secret@host/share"},
    ],
}
_NEVER: list[dict[str, Any]] = [{"password": None}, {"timeout": "0s"}, {"timeout": 5}, {"user": ""}, {"more": 1}]


def _options(way: str, **change: Any) -> FarOptions:
    made: FarOptions = WAYS[way].options.model_validate({**_GOOD[way], **change})
    return made


@pytest.mark.parametrize(("way", "change"), [(way, change) for way in _GOOD for change in [*_SENSELESS[way], *_NEVER]])
def test_options_that_make_no_sense_are_refused(way: str, change: dict[str, Any]) -> None:
    assert _options(way).url == _GOOD[way]["url"]

    with pytest.raises(ValueError):
        _options(way, **change)


def test_a_key_will_do_instead_of_a_password() -> None:
    assert _options("sftp", password=None, key="id").user == "erp"


@pytest.mark.parametrize("way", list(_GOOD))
def test_a_server_that_is_not_there_is_tried_again(way: str, tmp_path: Path) -> None:
    assert _check(way, 9, tmp_path) == "NAVE-K280"


@pytest.mark.parametrize("way", list(_GOOD))
def test_a_server_that_says_nothing_is_given_up_in_time(way: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()

        code = _check(way, silent.getsockname()[1], tmp_path)

    assert code == "NAVE-K280"
    assert time.monotonic() - began < 15


def _check(way: str, port: int, folder: Path) -> str:
    """What the check of a connection to this port says; never a secret."""
    check = WAYS[way].spec().check
    assert check is not None
    options = _options(way, url=_GOOD[way]["url"].replace("host", f"127.0.0.1:{port}"), timeout="300ms")

    with pytest.raises(RetryableError) as caught:
        check(options, Setting("erp.orders", folder))

    assert "geheim" not in str(caught.value)
    return caught.value.code
