"""What is taken counts for each group that an owner is in, and nothing is taken where one of them has no room."""

from __future__ import annotations

from shared.shares import Held, Share


def house(number: int, street: int = 1) -> tuple[Share, ...]:
    return (Share(f"house {number} of {street}"), Share(f"street {street}", 4))


def test_neighbours_have_a_few_shares_together() -> None:
    held = Held(10)
    for number in range(4):
        assert held.take(house(number), 10)
        assert not held.take(house(number))
    assert not held.take(house(4))
    assert held.take(house(4, street=2))
    held.give(house(0), 10)
    assert held.take(house(4))
    assert held.total == 32


def test_what_one_group_has_no_room_for_is_taken_of_none() -> None:
    held = Held(10)
    for number in range(4):
        held.take(house(number), 10)
    for _ in range(50):
        assert not held.take(house(5))
    assert held.total == 40
    for number in range(4):
        held.give(house(number), 10)
    assert held.take(house(5), 10)


def test_a_group_leaves_half_of_what_there_is_to_others_and_has_one_share_at_least() -> None:
    assert Share("a", 4).of(25, 100) == 50
    assert Share("a", 4).of(25, 1_000) == 100
    assert Share("a", 8).of(70, 100) == 70
    assert Share("a", 8).of(1, 1) == 1
    assert Share("a").of(70, 100) == 70
