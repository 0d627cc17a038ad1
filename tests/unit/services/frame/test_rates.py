"""How often somebody may ask: one too many is refused with when to come again, and counters stay few however many come."""

from __future__ import annotations

import pytest

from services.frame.peers import shares_of
from services.frame.rates import RATES, Kind, Rates, headers_of
from shared.errors import Throttled


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.at_s = 1_000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.mark.parametrize("kind", list(RATES))
def test_one_more_than_the_rate_is_refused_until_the_window_ends(kind: Kind) -> None:
    clock = Clock()
    rates = Rates({kind: 3}, now_s=clock)
    for left in (2, 1, 0):
        standing = rates.take(kind, "a")
        assert standing is not None
        assert standing.left == left
    with pytest.raises(Throttled) as refused:
        rates.take(kind, "a")
    assert refused.value.retry_after_s == RATES[kind][1]
    rates.take(kind, "b")  # somebody else's is another counter
    clock.at_s += RATES[kind][1] - 0.5
    with pytest.raises(Throttled):
        rates.take(kind, "a")
    clock.at_s += 0.5
    rates.take(kind, "a")


@pytest.mark.parametrize(
    ("more", "windows"),
    [
        pytest.param(0, 0, id="nothing more"),
        pytest.param(8, 0, id="within the window's amount"),
        pytest.param(9, 1, id="all of it"),
        pytest.param(10, 2, id="one over it"),
        pytest.param(34, 4, id="three windows and a half"),
    ],
)
def test_what_turns_out_to_be_more_is_a_debt_that_later_windows_pay(more: int, windows: int) -> None:
    clock = Clock()
    rates = Rates({"posts": 10}, now_s=clock)
    rates.take("posts", "a")
    rates.take_more("posts", "a", more)
    window_s = RATES["posts"][1]
    if windows:
        with pytest.raises(Throttled) as refused:
            rates.take("posts", "a")
        assert refused.value.retry_after_s == windows * window_s
        rates.take("posts", "b")
        clock.at_s += windows * window_s - 0.5
        with pytest.raises(Throttled):
            rates.take("posts", "a")
        clock.at_s += 0.5
    standing = rates.take("posts", "a")
    assert standing is not None
    assert standing.left == (9 if windows else 10 - 2 - more)


def test_more_is_counted_in_debt_too_and_of_what_is_off_nothing() -> None:
    clock = Clock()
    rates = Rates({"workspace": 10, "posts": 0}, now_s=clock)
    for _ in range(3):
        rates.take_more("workspace", "a", 10)
    with pytest.raises(Throttled) as refused:
        rates.take("workspace", "a")
    assert refused.value.retry_after_s == 3 * RATES["workspace"][1]
    rates.take_more("posts", "a", 10)
    assert rates.take("posts", "a") is None


def test_debts_keep_no_more_counters_than_the_bound() -> None:
    rates = Rates({"posts": 10}, counters_max=100, now_s=Clock())
    for one in range(1_000):
        rates.take_more("posts", str(one), 1_000)
        assert rates.counted("posts") <= 100


def test_asking_for_room_counts_nothing() -> None:
    rates = Rates({"wrong-token": 1})
    for _ in range(5):
        rates.require_room("wrong-token", "a")
    rates.take("wrong-token", "a")
    with pytest.raises(Throttled):
        rates.require_room("wrong-token", "a")


def test_zero_counts_nothing() -> None:
    rates = Rates({"address": 0})
    for _ in range(5_000):
        assert rates.take("address", "a") is None
    assert rates.counted("address") == 0


def test_a_hundred_thousand_addresses_keep_no_more_counters_than_the_bound() -> None:
    clock = Clock()
    rates = Rates(counters_max=1_000, now_s=clock)
    for one in range(100_000):
        rates.take("address", str(one))
        assert rates.counted("address") <= 1_000
    clock.at_s += 3_600
    for one in range(2_000):
        rates.take("address", f"later {one}")
        clock.at_s += 1
    assert rates.counted("address") <= 11, "what has run out is let go"


def test_the_flood_of_addresses_lets_no_key_begin_anew() -> None:
    rates = Rates({"key": 1}, counters_max=100)
    rates.take("key", "mine")
    for one in range(1_000):
        rates.take("address", str(one))
    with pytest.raises(Throttled):
        rates.take("key", "mine")


def test_headers_are_structured_fields() -> None:
    clock = Clock()
    rates = Rates({"key": 5, "workspace": 7}, now_s=clock)
    standings = [one for one in (rates.take("key", "k"), rates.take("workspace", "w")) if one is not None]
    assert headers_of(standings) == {
        "ratelimit-policy": '"key";q=5;w=1, "workspace";q=7;w=1',
        "ratelimit": '"key";r=4;t=1, "workspace";r=6;t=1',
    }
    assert headers_of([]) == {}


def test_a_machine_with_a_whole_prefix_has_a_few_addresses_rates_and_its_refusals_count_nothing() -> None:
    rates = Rates({"mails": 2}, now_s=Clock())

    def taken(address: str) -> int:
        for count in range(100):
            try:
                rates.take("mails", shares_of(address))
            except Throttled:
                return count
        return 100

    assert [taken(f"2001:db8:0:{subnet:x}::1") for subnet in range(6)] == [2, 2, 2, 2, 0, 0]
    assert sum(taken(f"2001:db8:0:{subnet:x}::1") for subnet in range(0x100, 0xA00, 0x10)) == 2 * 8 - 2 * 4
    assert taken("2001:db8:1::1") == 2
    assert taken("192.0.2.1") == 2
    assert taken("::ffff:192.0.2.1") == 0
