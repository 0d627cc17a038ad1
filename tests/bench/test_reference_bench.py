"""The lines with a known answer at full length: eight runs of 200,000 items, the exact value inside each 99 % interval.

``SANTRAL_BENCH_ITEMS`` shortens them. Of so many intervals one may miss by chance; each line prints what it found.
"""

from __future__ import annotations

import os
import time

import pytest

from router.simulator.runs import simulate
from services.cli.simulation_progress import processors
from tests.support.figures import Figures
from tests.support.simulations import LINES, Line, at

ITEMS = int(os.environ.get("SANTRAL_BENCH_ITEMS", "200000"))

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_reference(line: Line) -> None:
    began = time.perf_counter()
    answer = simulate(line.of(ITEMS), processes=processors())
    took_s = time.perf_counter() - began
    figures = Figures(f"{line.name}: 8 runs of {ITEMS:,} items in {took_s:.0f} s, {8.8 * ITEMS / took_s:,.0f} items/s")
    missed = []
    for path, exact in line.exact:
        found = at(answer, path)
        figures.add(path, f"{found.mean:.6g} ± {found.half_width:.3g}", f"{exact:.6g}", f"{found.mean / exact:.4f}")
        if not found.contains(exact):
            missed.append(path)
    print(figures.show())
    assert missed == []
