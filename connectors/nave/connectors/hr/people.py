"""Whom a source asks for: people named in its options, or in a file that somebody keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nave.connectors.wording import short
from nave.core.errors import ConfigError
from nave.core.protocols import Setting

_MOST_BYTES = 8 * 2**20


def named_users(users: Sequence[str], users_file: Path | None, setting: Setting) -> list[str]:
    """Each user id once, in order; a ConfigError where the file cannot be read, or names nobody."""
    if users_file is None:
        return list(dict.fromkeys(users))
    file = setting.folder / users_file
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"> {_MOST_BYTES} B")
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError("NAVE-K369", name=setting.name, reason=short(error)) from error
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise ConfigError("NAVE-K369", name=setting.name, reason=short(file.name))
    return list(dict.fromkeys(found))
