"""Contacts found by number and id are the ones that a search through all of them finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.meta.contacts import Contacts

IDS = st.sampled_from([None, "", "1", "2", 1, 0])


def is_theirs(contact: Mapping[str, Any], number: Any, user: Any) -> bool:
    pairs = ((contact.get("wa_id"), number), (contact.get("user_id"), user))
    both = [(theirs, ours) for theirs, ours in pairs if theirs and ours]
    return bool(both) and all(theirs == ours for theirs, ours in both)


@given(st.lists(st.fixed_dictionaries({"wa_id": IDS, "user_id": IDS}), max_size=8), IDS, IDS)
def test_the_first_that_is_the_writers(contacts: list[dict[str, Any]], number: Any, user: Any) -> None:
    expected = next((one for one in contacts if is_theirs(one, number, user)), None)
    assert Contacts(contacts).of(number, user) is expected


def test_what_is_neither_number_nor_words_is_nobody() -> None:
    assert Contacts([{"wa_id": ["1"], "user_id": {}}]).of(["1"], None) is None
