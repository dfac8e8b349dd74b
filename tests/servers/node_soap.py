"""The `soap` package for Node as client and as server, in private processes; it is fetched into a cache of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port

PACKAGE = "soap@1.13.0"
_STARTING = 60.0


def node_modules() -> Path | None:
    """The folder with the package, fetched once; None without Node, npm, or a registry to fetch it from."""
    npm, cache = (
        shutil.which("npm"),
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nave-tests" / "node-soap",
    )
    modules = cache / "node_modules"
    if shutil.which("node") is None:
        return None
    if not (modules / "soap" / "package.json").exists():
        if npm is None:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        command = [
            npm,
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            str(cache),
            PACKAGE,
        ]
        done = subprocess.run(command, capture_output=True, check=False, timeout=300, cwd=cache)
        if done.returncode:
            return None
    return modules


def node_run(modules: Path, script: str, *words: str) -> dict[str, Any]:
    """Run a script that prints one JSON object, and give that."""
    done = subprocess.run(
        ["node", "-e", script, "--", *words],
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"Node said: {done.stdout[:2000]}{done.stderr[:2000]}") from None
    return found


@contextmanager
def node_service(modules: Path, script: Path, folder: Path) -> Iterator[str]:
    """Run a script that listens on the port in its first argument while the block lasts; gives the URL."""
    port = free_port()
    server = subprocess.Popen(
        ["node", str(script), str(port)],
        env={**os.environ, "NODE_PATH": str(modules)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_answering(port, server)
        yield f"http://127.0.0.1:{port}/plant"
    finally:
        server.kill()
        server.wait(20)


def _until_answering(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTING
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/plant?wsdl", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("Node did not start")
