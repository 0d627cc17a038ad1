"""Student's t against the published table, and intervals over trees of runs."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.simulator.intervals import estimate, over_runs, t_quantile, within

# Two-sided values of the published table of Student's t distribution.
TABLE = [
    (0.90, 1, 6.314), (0.90, 7, 1.895), (0.90, 30, 1.697),
    (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 7, 2.365), (0.95, 10, 2.228), (0.95, 120, 1.980),
    (0.99, 1, 63.657), (0.99, 2, 9.925), (0.99, 3, 5.841), (0.99, 7, 3.499), (0.99, 10, 3.169), (0.99, 30, 2.750), (0.99, 120, 2.617),
    (0.999, 5, 6.869), (0.999, 60, 3.460),
]  # fmt: skip


@pytest.mark.parametrize(("confidence", "degrees", "expected"), TABLE)
def test_the_quantile_is_the_tables(confidence: float, degrees: int, expected: float) -> None:
    assert t_quantile(confidence, degrees) == pytest.approx(expected, abs=5.1e-4)


def test_many_degrees_are_the_normal_distribution() -> None:
    assert t_quantile(0.99, 100_000) == pytest.approx(statistics.NormalDist().inv_cdf(0.995), abs=1e-4)


@given(confidence=st.floats(0.01, 0.9999), degrees=st.integers(1, 200))
def test_the_quantile_undoes_the_probability(confidence: float, degrees: int) -> None:
    assert within(t_quantile(confidence, degrees), degrees) == pytest.approx(confidence, abs=1e-9)


def test_an_estimate() -> None:
    found = estimate([1.0, 2.0, 3.0], 0.95)
    assert found.mean == 2.0
    assert found.half_width == pytest.approx(4.303 / 3**0.5, abs=1e-3)
    assert found.contains(4.0)
    assert not found.contains(4.6)


def test_one_run_has_no_interval() -> None:
    found = estimate([1.0], 0.95)
    assert found.shown() == {"mean": 1.0, "low": None, "high": None, "half_width": None}
    assert not found.contains(1.0)


def test_a_run_that_does_not_know_is_left_out() -> None:
    told = over_runs([{"a": 1.0, "b": [None]}, {"a": 3.0, "b": [None]}, {"a": None, "b": [None]}], 0.9)
    assert told["a"]["mean"] == 2.0
    assert told["b"] == [None]
