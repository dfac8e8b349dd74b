"""Which host key a server must show before anything is told to it: pinned by fingerprint, or in a known_hosts file."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING

from nave.connectors.wording import short
from nave.core.errors import ConfigError

if TYPE_CHECKING:
    from paramiko import PKey, Transport


class HostKeys:
    """What is known of one server; ConfigError NAVE-K284 if the known_hosts file cannot be read."""

    def __init__(self, host: str, port: int, pinned: tuple[str, ...], known_hosts: Path | None) -> None:
        self._name = host if port == 22 else f"[{host}]:{port}"
        self._pinned = pinned
        self._known = _known(known_hosts, self._name) if known_hosts is not None else {}

    def prefer(self, transport: Transport) -> None:
        """Ask for a key of a kind that is known, where the server has several."""
        options = transport.get_security_options()
        known = [kind for kind in options.key_types if _kind(kind) in self._known]
        if known:
            options.key_types = (*known, *(kind for kind in options.key_types if kind not in known))

    def check(self, key: PKey) -> None:
        """ConfigError if the key is not known (NAVE-K281) or another than the known one (NAVE-K282)."""
        shown = fingerprint(key.asbytes())
        expected = (*self._pinned, *(fingerprint(one) for one in self._known.values()))
        if any(hmac.compare_digest(shown, one) for one in expected):
            return
        if not expected:
            raise ConfigError("NAVE-K281", host=self._name, fingerprint=shown)
        raise ConfigError("NAVE-K282", host=self._name, fingerprint=shown, expected=", ".join(expected))


def fingerprint(key: bytes) -> str:
    """As `ssh-keygen -l` shows it: SHA256:..."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _kind(algorithm: str) -> str:
    """RSA keys sign by several algorithms."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def _known(path: Path, name: str) -> dict[str, bytes]:
    from paramiko import HostKeys as Known
    from paramiko.ssh_exception import SSHException

    try:
        found = Known(str(path)).lookup(name)
    except (OSError, ValueError, SSHException) as error:
        raise ConfigError("NAVE-K284", file=short(path, 200), reason=short(error)) from error
    return {kind: key.asbytes() for kind in found for key in [found[kind]] if key is not None} if found else {}
