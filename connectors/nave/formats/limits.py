"""How much of anything a reader takes before it refuses: the numbers that keep hostile input small."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes (characters, once decoded), everything else counted; a file of any length is fine."""

    record: int = 16 * MIB
    """One record; every XML element counts 16 besides its text, so that a record has at most a million of them."""
    xml_depth: int = 64
    xml_attributes: int = 256
    xml_text: int = 12 * MIB
    xml_name: int = KIB
    xml_names: int = 10_000
    """Different names in one document: the parser remembers each."""
    xml_markup: int = MIB
    """One tag, comment or processing instruction: the parser must hold it whole."""
    xml_nested: int = 64 * MIB
    """All records that are open at once, where records may nest."""
    json_depth: int = 64
    json_digits: int = 1_000
    json_keys: int = 10_000
    csv_field: int = MIB
    csv_columns: int = 4_096
    xlsx_file: int = 256 * MIB
    xlsx_cells: int = 5_000_000
    """The rectangle from the first to the last cell of a sheet, empty cells included: readers hold it whole."""
    zip_entries: int = 1_000
    zip_entry: int = 256 * MIB
    zip_total: int = 512 * MIB
    zip_ratio: int = 100
    """Unpacked to packed, for an entry above 1 MiB."""


DEFAULTS = Limits()
