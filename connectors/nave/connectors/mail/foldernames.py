"""Names of IMAP folders as the protocol wants them: modified UTF-7 (RFC 3501, 5.1.3), quoted."""

from __future__ import annotations

import base64
import re

_OTHERS = re.compile(r"[^\x20-\x7e]+")


def quoted(folder: str) -> str:
    """The name between quotes."""
    name = _OTHERS.sub(_shifted, folder.replace("&", "&-"))
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shifted(found: re.Match[str]) -> str:
    coded = base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=")
    return f"&{coded.replace('/', ',')}-"
