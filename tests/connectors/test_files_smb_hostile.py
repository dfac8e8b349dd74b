"""What the SMB connector makes of a machine that is no good server."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from nave.connectors.files.smb import SPEC
from nave.connectors.files.smb.options import SmbOptions
from nave.core.errors import RetryableError
from nave.core.protocols import Setting


@contextmanager
def _peer(answer: bytes) -> Iterator[int]:
    """The port of a server that says this to whatever it is asked first, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_serve, args=(listener, answer))
        serving.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join(20)


def _serve(listener: socket.socket, answer: bytes) -> None:
    with suppress(OSError):
        control, _ = listener.accept()
        with control:
            control.recv(65536)
            control.sendall(answer)
            while control.recv(65536):
                pass


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\4\xfeSMB", b"\x7f\xff\xff\xff"])
def test_what_is_no_server_is_given_up_in_time(answer: bytes, tmp_path: Path) -> None:
    check = SPEC.check
    assert check is not None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()

    with _peer(answer) as port:
        options = {"url": f"smb://127.0.0.1:{port}/drop", "user": "erp", "password": "geheim", "timeout": "1s"}
        with pytest.raises(RetryableError) as caught:
            check(SmbOptions.model_validate(options), Setting("erp.orders", tmp_path))

    assert caught.value.code == "NAVE-K280"
    assert "geheim" not in str(caught.value)
    assert time.monotonic() - began < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
