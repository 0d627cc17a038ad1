"""Figures of a bench run, printed as a table with ratios; nothing here passes or fails by time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """Rows of (what, figure, beside what, ratio)."""

    title: str
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str, reference: str = "", ratio: str = "") -> None:
        """One line."""
        self.rows.append((what, figure, reference, ratio))

    def show(self) -> str:
        """The table as plain text."""
        head = ("what", "figure", "reference", "ratio")
        widths = [max(len(row[place]) for row in [head, *self.rows]) for place in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *self.rows]
        ]
        return "\n".join(["", self.title, "-" * len(self.title), *lines, ""])


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0..1) lies."""
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, max(0, round(share * 1000) - 1))]
