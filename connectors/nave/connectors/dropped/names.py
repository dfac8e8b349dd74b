"""Names from outside, as the hub keeps them."""

from __future__ import annotations

import hashlib
import os

_LONGEST = 160
_UNWANTED = frozenset('<>:"/\\|?*')


def safe_name(name: str) -> str:
    """The name as the hub keeps it: itself where it is harmless, else with `_` and a hash for what is not."""
    kept = "".join(c if c.isprintable() and c not in _UNWANTED else "_" for c in name).lstrip(".-~ ")
    raw = os.fsencode(name)
    if kept and kept == name and len(raw) <= _LONGEST:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:8]
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix.encode("utf-8", "replace")) > 8:
        stem, suffix = kept, ""
    short = stem.encode("utf-8", "replace")[: _LONGEST - 20].decode("utf-8", "ignore")
    return f"{short or 'file'}-{digest}{dot if suffix else ''}{suffix}"
