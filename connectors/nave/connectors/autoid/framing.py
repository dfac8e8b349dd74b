"""One scan out of the bytes of a line: its framing, its encoding, and what it says."""

from __future__ import annotations

from typing import Any

import re2  # type: ignore[import-untyped]

from nave.connectors.autoid.options import LinesSourceOptions
from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.core.protocols import Raw
from nave.formats.labels import label

_SYMBOLOGY = re2.compile(r"\][A-Za-z][0-9A-Za-z]")
_KINDS = {"gs1": ("gs1", "link", "epc", "tag", "ean")}


class Framing:
    """How the devices of one source say a scan."""

    def __init__(self, options: LinesSourceOptions) -> None:
        self._options = options
        self.end = options.end.encode("latin-1", "replace")
        self._start = options.start
        self._pattern: Any = re2.compile(options.pattern) if options.pattern else None
        self._quiet = frozenset(options.quiet)

    def text(self, line: bytes) -> str | None:
        """The scan in a line; None where it is none. A PermanentError NAVE-K375 for what is no text."""
        try:
            said = line.decode(self._options.encoding)
        except UnicodeDecodeError:
            raise self.too_long() from None
        said = said.removesuffix("\r") if self.end == b"\n" else said
        said = said.removeprefix(self._start).strip(" \t")
        return None if not said or said in self._quiet else said

    def too_long(self) -> PermanentError:
        """The refusal of what is longer than a scan may be, or no text."""
        return PermanentError("NAVE-K375", limit=self._options.longest, encoding=self._options.encoding)

    def fields(self, said: str) -> Raw:
        """What a scan says, by the plant's pattern or by the GS1 system; a PermanentError for a wrong check digit."""
        symbology = {"symbology": said[1:3]} if _SYMBOLOGY.match(said) else {}
        found = self._pattern.fullmatch(said) if self._pattern is not None else None
        if found is not None:
            return {
                **symbology,
                "form": "label",
                **{name: text for name, text in found.groupdict().items() if text is not None},
            }
        if self._options.reads == "text":
            if self._pattern is not None:
                raise PermanentError("NAVE-K377", scan=short(said))
            return {**symbology, "form": "text"}
        read = label(said)
        if self._options.reads == "gs1" and read["form"] not in _KINDS["gs1"]:
            raise PermanentError("NAVE-K376", scan=short(said), kind="GS1", reason="neither GS1 nor EPC")
        return {**symbology, **read}
