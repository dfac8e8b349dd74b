"""The chart of cost against size that the README shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pygal
from pygal.style import Style


def cost_chart(sizes: Sequence[dict[str, Any]], path: Path) -> None:
    """Microseconds per record by number of records, for the yardstick, a first load and the same file again."""
    style = Style(
        background="white",
        plot_background="white",
        colors=("#777777", "#1f5fbf", "#d9822b"),
        font_family="sans-serif",
        label_font_size=14,
        legend_font_size=14,
        title_font_size=16,
        value_font_size=13,
    )
    chart = pygal.Bar(
        style=style,
        width=720,
        height=380,
        title="Microseconds per record, by size of the file (SQLite, durable)",
        y_title="us / record",
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        y_labels_major_count=4,
        show_minor_y_labels=False,
        print_values=True,
        js=(),
        disable_xml_declaration=True,
        no_prefix=True,
    )
    chart.x_labels = [f"{one['size']:,}" for one in sizes]
    names = {"yardstick": "raw: parse, map, upsert", "first": "Nave: first load", "again": "Nave: same file again"}
    for name, title in names.items():
        chart.add(title, [round(one[name]["us"], 1) for one in sizes])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(chart.render() + "\n", encoding="utf-8")
