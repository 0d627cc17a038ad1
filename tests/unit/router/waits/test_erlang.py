"""Erlang's formulas against their published values and against what they must be at the edges."""

from __future__ import annotations

from math import factorial, fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.waits.erlang import erlang_a, erlang_b, erlang_c

BLOCKED = [(1.0, 1, 0.5), (1.0, 2, 0.2), (2.0, 3, 4 / 19), (10.0, 10, 0.214582), (20.0, 20, 0.158892), (100.0, 100, 0.075700)]
"""Traffic tables of Erlang B: load, lines, share turned away."""
TABLE = [
    (200, 180, 11, 0.682118, 122.781, 0.38961),
    (200, 180, 12, 0.449388, 40.445, 0.64016),
    (200, 180, 13, 0.285270, 17.116, 0.79560),
    (200, 180, 14, 0.174132, 7.836, 0.88835),
    (360, 240, 28, 0.333139, 19.988, 0.76130),
    (360, 240, 30, 0.172862, 6.914, 0.89515),
]


@pytest.mark.parametrize(("per_h", "handling_s", "agents", "p_wait", "wait_s", "level"), TABLE)
def test_erlang_c(per_h: int, handling_s: int, agents: int, p_wait: float, wait_s: float, level: float) -> None:
    line = erlang_c(per_h / 3600, handling_s, agents)
    assert line.p_wait == pytest.approx(p_wait, abs=5e-7)
    assert line.wait_s == pytest.approx(wait_s, abs=5e-4)
    assert line.service_level(20) == pytest.approx(level, abs=1e-5)


def test_erlang_a() -> None:
    line = erlang_a(200 / 3600, 180, 14, 300)
    assert (line.p_wait, line.p_abandon, line.occupancy, line.wait_s) == pytest.approx(
        (0.14526, 0.013984, 0.704297, 4.195), abs=5e-4, rel=1e-4
    )


@pytest.mark.parametrize(("load", "lines", "blocked"), [*BLOCKED, (3.0, 4, 0.2061068702), (10.0, 1, 10 / 11)])
def test_erlang_b(load: float, lines: int, blocked: float) -> None:
    assert erlang_b(load, lines) == pytest.approx(blocked, abs=5e-7)


@pytest.mark.parametrize(("load", "agents"), [(0.5, 1), (3.0, 5), (10.0, 14), (25.0, 27), (48.0, 60)])
def test_erlang_c_is_the_sum_it_is_defined_by(load: float, agents: int) -> None:
    busy = load**agents / factorial(agents) * agents / (agents - load)
    p_wait = busy / (fsum(load**one / factorial(one) for one in range(agents)) + busy)
    line = erlang_c(load, 1.0, agents)
    assert line.p_wait == pytest.approx(p_wait, rel=1e-12)
    p99 = line.quantile(0.99)
    assert line.service_level(p99) == pytest.approx(max(0.99, 1 - p_wait), rel=1e-12)


@given(load=st.floats(0.1, 30), agents=st.integers(1, 40), patience_s=st.floats(0.5, 500))
def test_everybody_is_answered_or_leaves(load: float, agents: int, patience_s: float) -> None:
    line = erlang_a(load / 100, 100, agents, patience_s)
    assert line.service_level(1e7) + line.p_abandon == pytest.approx(1.0, abs=1e-6)
    assert 0 <= line.p_abandon <= line.p_wait <= 1 + 1e-12
    assert line.service_level(0) == pytest.approx(1 - line.p_wait)
    assert line.occupancy <= 1 + 1e-9
    assert line.p_abandon * patience_s == pytest.approx(line.wait_s)


def test_endless_patience_is_erlang_c() -> None:
    patient, endless = erlang_a(200 / 3600, 180, 13, 1e8), erlang_c(200 / 3600, 180, 13)
    assert patient.p_wait == pytest.approx(endless.p_wait, rel=1e-4)
    assert patient.wait_s == pytest.approx(endless.wait_s, rel=1e-4)


@pytest.mark.parametrize(("rate", "handling_s", "agents"), [(1.0, 5.0, 5), (1.0, 5.0, 0), (0.0, 5.0, 3), (1.0, 0.0, 3)])
def test_a_line_without_an_answer_is_refused(rate: float, handling_s: float, agents: int) -> None:
    with pytest.raises(ValueError, match=r"agents|rate"):
        erlang_c(rate, handling_s, agents)


def test_patience_is_above_zero() -> None:
    with pytest.raises(ValueError, match="patience"):
        erlang_a(1.0, 1.0, 2, 0.0)
