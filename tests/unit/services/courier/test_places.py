"""Places of replies on their way: what many hold whose providers do not answer leaves room for others."""

from __future__ import annotations

from uuid import UUID, uuid4

from services.courier.deliveries import DRAWN
from services.courier.places import HEAVY, OF_ONE, ROOM, Places, places_of


def hung(places: Places, many: int) -> list[UUID]:
    """Workspaces that have more to send than they may and whose providers never answer, ten by ten, until none may take more."""
    workspaces = [uuid4() for _ in range(many)]
    while waiting := [one for one in workspaces if places.held.get(one, 0) < places.share]:
        share, held = places.share, dict(places.held)
        for one in waiting[:DRAWN]:
            places.take(one, min(share - held.get(one, 0), places.free))
    return workspaces


def test_one_alone_may_have_as_many_as_anybody() -> None:
    places = Places()
    (one,) = hung(places, 1)
    assert OF_ONE - 1 <= places.held[one] <= OF_ONE


def test_twenty_that_hang_leave_room_for_who_comes() -> None:
    places = Places()
    hung(places, 20)
    assert places.free > ROOM // 5
    assert places.share > 2


def test_so_do_eighty_and_a_hundred_do_not() -> None:
    places = Places()
    hung(places, 80)
    assert places.share == 1
    places = Places()
    hung(places, 100)
    assert (places.share, places.free) == (0, 0)


def test_what_comes_to_an_end_gives_its_place_back() -> None:
    places = Places()
    one = uuid4()
    places.take(one, HEAVY)
    places.take(one, 1)
    places.give_back(one, HEAVY)
    assert (places.free, dict(places.held)) == (ROOM - 1, {one: 1})
    places.give_back(one, 1)
    assert (places.free, dict(places.held)) == (ROOM, {})


def test_files_take_more_places() -> None:
    assert (places_of({"content": {}}), places_of({"files": [{"blob": "x"}]})) == (1, HEAVY)
