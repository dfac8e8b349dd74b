"""Exit statuses, the same for every command, so that scripts can tell what happened without reading."""

from __future__ import annotations

FINE = 0
PROBLEM = 1
USAGE = 2
UNREACHED = 3
PARTLY = 4
REFUSED = 5
INTERRUPTED = 130
