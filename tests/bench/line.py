"""One line of the benchmark: a ratio measured in one run, beside the most it may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """``ratio`` is met when it is at most ``target`` (or at least, with ``at_least``)."""

    name: str
    ratio: float
    target: float
    detail: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "ok  " if self.met else "MISS"
        return f"{verdict} {self.name}: {self.ratio:.2f} ({sign} {self.target:g})  [{self.detail}]"
