"""PHP's SoapServer and SoapClient as private processes, with a small service that keeps what it is sent in a file."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port

_STARTING = 30.0


def php_program() -> str | None:
    """PHP with its extensions for SOAP and XML; None where there is none."""
    php = shutil.which("php")
    if php is None:
        return None
    modules = subprocess.run([php, "-m"], capture_output=True, text=True, check=False, timeout=60)
    return php if {"soap", "dom", "simplexml"} <= set(modules.stdout.lower().split()) else None


@dataclass(frozen=True)
class PhpService:
    """A running server; its folder holds what it keeps."""

    url: str
    folder: Path

    def state(self) -> dict[str, Any]:
        """`held` by key, `effects` in order, `calls` so far, `rows` that it gives out."""
        file = self.folder / "state.json"
        found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return {"held": {}, "effects": [], "calls": [], "rows": [], **found}

    def put(self, **state: Any) -> None:
        """Change its state."""
        (self.folder / "state.json").write_text(json.dumps({**self.state(), **state}), "utf-8")


@contextmanager
def php_service(php: str, script: Path, wsdl: Path, folder: Path) -> Iterator[PhpService]:
    """Run `script`, which reads `service.wsdl`, behind PHP's own web server while the block lasts."""
    port = free_port()
    shutil.copy(script, folder / "index.php")
    shutil.copy(wsdl, folder / "service.wsdl")
    server = subprocess.Popen(
        [php, "-d", "soap.wsdl_cache_enabled=0", "-S", f"127.0.0.1:{port}", str(folder / "index.php")],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_answering(port, server)
        yield PhpService(f"http://127.0.0.1:{port}/", folder)
    finally:
        server.kill()
        server.wait(20)


def php_run(php: str, script: str, *words: str) -> dict[str, Any]:
    """Run a script that prints one JSON object, and give that."""
    command = [php, "-d", "soap.wsdl_cache_enabled=0", "-d", "default_socket_timeout=30", "-r", script, "--", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"PHP said: {done.stdout[:2000]}{done.stderr[:2000]}") from None
    return found


def _until_answering(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTING
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("PHP did not start")
