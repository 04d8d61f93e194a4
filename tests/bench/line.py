"""One line of the benchmark: a ratio measured in one run, beside the most it may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Iterable

COLUMNS = ("what", "ours", "peer", "ratio", "target", "pass")


@dataclass(frozen=True)
class Line:
    """``ratio`` passes when it is at most ``target`` (or at least, with ``at_least``).

    ``ours`` and ``peer`` say in words what was compared, with their figures.
    """

    what: str
    ours: str
    peer: str
    ratio: float
    target: float
    at_least: bool = False

    @property
    def passed(self) -> bool:
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target

    def cells(self) -> tuple[str, ...]:
        """What a reader sees, in the order of COLUMNS."""
        target = f"{'>=' if self.at_least else '<='} {self.target:g}"
        return (self.what, self.ours, self.peer, f"{self.ratio:.2f}", target, "yes" if self.passed else "NO")

    def as_dict(self) -> dict[str, object]:
        """What a program reads."""
        return {**asdict(self), "pass": self.passed}


def table(lines: Iterable[Line]) -> str:
    """The lines as a Markdown table whose columns are aligned."""
    rows = [COLUMNS, *(line.cells() for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows)
