"""Who makes room for whom: of whoever holds most, what waits longest, for somebody who holds less."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from services.frame.making_room import Full, Place, Room
from services.frame.peers import shares_of
from shared.shares import Share


class Door:
    """A room with places of one each, and the names of those that ended."""

    def __init__(self, *, most: int, each: int | None = None) -> None:
        self.room = Room(each=each or most, most=most)
        self.ended: list[str] = []

    def enter(self, address: str, name: str = "", *, waits: bool = True) -> Place:
        place = Place(self.room, shares_of(address), lambda: self.ended.append(name or address))
        place.grow()
        if waits:
            place.waits()
        return place


def test_of_whoever_holds_most_what_waits_longest_ends() -> None:
    door = Door(most=5)
    first, second, third = (door.enter("192.0.2.1", name) for name in ("first", "second", "third"))
    door.enter("192.0.2.2"), door.enter("192.0.2.2")
    first.used()
    second.works()
    assert door.enter("192.0.2.3")
    assert door.ended == ["third"]
    third.leave()
    assert door.room.held == 5, "what made room holds nothing, and gives nothing back"
    third.waits()
    with pytest.raises(Full):
        third.grow()


def test_what_its_peer_waits_for_stays_and_the_next_who_holds_much_makes_room() -> None:
    door = Door(most=6)
    for _ in range(4):
        door.enter("192.0.2.1", waits=False)
    door.enter("192.0.2.2", "one"), door.enter("192.0.2.2", "two")
    door.enter("192.0.2.3")
    assert door.ended == ["one"]
    with pytest.raises(Full) as caught:
        door.enter("192.0.2.4")
    assert (caught.value.lack, door.ended) == ("room", ["one"])


def test_nobody_ends_for_who_would_hold_as_much() -> None:
    door = Door(most=4)
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"):
        door.enter(address)
    for _ in range(2):
        with pytest.raises(Full):
            door.enter("192.0.2.2")
    door.enter("192.0.2.4")
    assert door.ended == ["192.0.2.1"]
    for _ in range(2):
        with pytest.raises(Full):
            door.enter("192.0.2.5")
    assert door.ended == ["192.0.2.1"]


def test_a_share_that_is_used_up_ends_nobody() -> None:
    door = Door(most=4, each=1)
    door.enter("192.0.2.1")
    with pytest.raises(Full) as caught:
        door.enter("192.0.2.1")
    assert (caught.value.lack, door.ended) == ("share", [])


def test_a_prefix_counts_by_its_share() -> None:
    """A machine that takes another /64 for each holds as much as its /56 and its /48 do, by a fourth and an eighth."""
    door = Door(most=14)
    for subnet in range(12):
        door.enter(f"2001:db8:0:{subnet << 8:x}::1", str(subnet))
    door.enter("192.0.2.1"), door.enter("192.0.2.2")
    door.enter("192.0.2.3")
    assert door.ended == ["0"], "twelve of a /48 are more than one of an address"
    with pytest.raises(Full):
        door.enter("192.0.2.1")


def test_who_has_no_share_is_ended_for_nobody_and_finds_room() -> None:
    """A proxy that is trusted, whose connections are many people's."""
    room = Room(each=2, most=4)
    for _ in range(2):
        Place(room, (), lambda: pytest.fail("it is not one owner's")).grow()
    door = Door(most=4)
    door.room = room
    door.enter("192.0.2.1", "first"), door.enter("192.0.2.1")
    Place(room, (), lambda: None).grow()
    assert door.ended == ["first"]


def test_bytes_are_taken_of_as_many_as_it_needs() -> None:
    room, ended = Room(each=100, most=100), Counter[str]()
    for name in ("a", "b", "c"):
        place = Place(room, (Share("large"),), lambda name=name: ended.update([name]))  # type: ignore[misc]
        place.grow(30)
        place.waits()
    with Place(room, (Share("small"),), lambda: pytest.fail("it holds less")) as small:
        small.grow(10)
        with small.waiting():
            pass
        small.grow(30)
        assert (room.held, ended) == (100, {"a": 1})
        small.grow(10)
        assert (room.held, ended) == (80, {"a": 1, "b": 1})
    assert room.held == 30


def test_who_holds_most_is_found_whatever_came_and_went() -> None:
    """Against a look at everybody, over thousands of steps."""
    chance = random.Random(7)
    door = Door(most=60)
    addresses = [f"192.0.2.{one}" for one in range(12)]
    held: dict[Place, str] = {}
    waits: set[Place] = set()
    for _ in range(4_000):
        counts = Counter(held.values())
        step = chance.random()
        if step < 0.5:
            address = chance.choice(addresses)
            theirs = max((counts[held[one]] for one in waits), default=0)
            before = len(door.ended)
            try:
                place = door.enter(address, waits=False)
            except Full:
                assert len(held) == 60
                assert theirs <= counts[address] + 1
                continue
            if len(door.ended) > before:
                assert len(held) == 60
                assert counts[door.ended[-1]] == theirs > counts[address] + 1
                (gone,) = [one for one in held if one._left]
                del held[gone]
                waits.discard(gone)
            held[place] = address
        elif held:
            place = chance.choice(list(held))
            if step < 0.65:
                place.leave()
                del held[place]
                waits.discard(place)
            elif step < 0.85:
                place.waits()
                waits.add(place)
            else:
                place.works()
                waits.discard(place)
        assert door.room.held == len(held)
        assert len(door.room._heap) < 200


def test_thousands_that_wait_are_not_looked_through() -> None:
    """What is looked at for one newcomer: counted, because a clock depends on the machine."""
    door = Door(most=4_000)
    for number in range(4_000):
        door.enter(f"10.0.{number % 1000 // 250}.{number % 250}")
    looks = 0
    weight = door.room._held.weight

    def counted(share: Share, more: int = 0) -> float:
        nonlocal looks
        looks += 1
        return weight(share, more)

    door.room._held.weight = counted  # type: ignore[method-assign]
    for number in range(1_000):
        door.enter(f"10.1.{number // 250}.{number % 250}")
    assert len(door.ended) == 1_000
    assert looks < 1_000 * 12
