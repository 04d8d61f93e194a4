# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots in docs/growth/ are those of the measured figures beside them."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "docs/growth"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def plot() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plot", ROOT / "tests/bench/plot.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plots_show_the_figures(plot: ModuleType) -> None:
    rows = json.loads((PLACE / "figures.json").read_text())["rows"]
    assert {name: (PLACE / name).read_text() for name in ("time.svg", "memory.svg")} == plot.plots(rows)


def test_a_plot_has_every_name_inside_it_and_none_over_another(plot: ModuleType) -> None:
    lines = {f"work {number}": [(10, 1.0), (100_000, 2.0 + number / 100)] for number in range(7)}
    image = ElementTree.fromstring(plot.draw("A & B", "s", lines, lambda value: f"{value:g} s"))
    texts = {"".join(one.itertext()): one for one in image.iter(f"{SVG}text")}
    assert {"A & B", "10", "100,000", "1 s", "10 s"} <= set(texts)
    names = [one for text, one in texts.items() if text.startswith("work")]
    assert len(names) == 7 and all(float(one.get("x", "")) + 7.5 * 24 <= plot.WIDTH for one in names)
    places = sorted(float(one.get("y", "")) for one in names)
    assert all(below - above >= 15 for above, below in zip(places, places[1:])) and places[-1] < plot.HEIGHT
    ends = [
        [float(y) for y in re.findall(r",([0-9.]+)", line.get("points", ""))] for line in image.iter(f"{SVG}polyline")
    ]
    assert all(second < first for first, second in ends), "more is higher"
