"""Figures as plain tables: a row a name, a column a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def print_tables(title: str, figures: Mapping[str, Any]) -> None:
    """Print nested figures: a mapping of rows is a table, a mapping of tables is several."""
    rows = {name: _columns(value) for name, value in figures.items()}
    if all(isinstance(value, Mapping) and _is_table(value) for value in figures.values()):
        for name, table in figures.items():
            print_tables(f"{title}: {name}", table)
        return
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    width = max(len(name) for name in rows)
    widths = [max(len(column), 9) for column in columns]
    print(f"\n{title}")
    print(" " * width, *(c.rjust(w) for c, w in zip(columns, widths, strict=True)), sep="  ")
    for name, row in rows.items():
        cells = (_cell(row.get(c)).rjust(w) for c, w in zip(columns, widths, strict=True))
        print(name.ljust(width), *cells, sep="  ")


def _is_table(value: Mapping[str, Any]) -> bool:
    return all(isinstance(row, (Mapping, list)) for row in value.values())


def _columns(value: Any) -> dict[str, float]:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list):
        return {str(number): item for number, item in enumerate(value, 1)}
    return {"": value}


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
