"""Masking: what passes its check goes, across spaces and dashes; what fails it stays; twice is once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ingest.adapter import Draft, Inbox, Part
from ingest.masking import is_card, is_tckn, masked, masked_draft
from shared.ids import new_id

DIGITS = st.text("0123456789", min_size=1, max_size=30)


def luhn(body: str) -> str:
    return next(body + str(check) for check in range(10) if is_card(body + str(check)) or len(set(body)) == 1)


def tckn(body: str) -> str:
    n = [int(digit) for digit in body]
    tenth = (sum(n[0::2]) * 7 - sum(n[1::2])) % 10
    return body + str(tenth) + str((sum(n) + tenth) % 10)


@given(
    st.text("0123456789", min_size=12, max_size=18).filter(lambda body: len(set(body)) > 1),
    st.lists(st.integers(1, 18), max_size=4),
)
def test_a_card_goes_across_spaces_and_dashes(body: str, cuts: list[int]) -> None:
    number = luhn(body)
    written = "".join(
        digit + (" -"[place % 2] if place in cuts and place < len(number) else "") for place, digit in enumerate(number, 1)
    )
    assert not any(character.isdigit() for character in masked(f"kart {written}."))


@given(st.integers(100_000_000, 999_999_999))
def test_a_national_id_goes(body: int) -> None:
    number = tckn(str(body))
    assert is_tckn(number)
    assert masked(f"no {number}") == f"no {'*' * 11}"


@given(DIGITS)
def test_a_number_that_fails_its_check_stays(digits: str) -> None:
    if not is_card(digits) and not is_tckn(digits):
        assert masked(f"a {digits} b") == f"a {digits} b"


@given(st.text("0123456789 -–a\n", max_size=80))
def test_masking_twice_is_masking_once_and_keeps_the_length(text: str) -> None:
    once = masked(text)
    assert masked(once) == once
    assert len(once) == len(text)


def test_known_numbers() -> None:
    assert masked("4111 1111 1111 1111 / 10000000146 / +905321234567") == "**** **** **** **** / *********** / +905321234567"
    assert masked("4111 1111 1111 1112 / 10000000147") == "4111 1111 1111 1112 / 10000000147"


def test_a_draft_loses_its_original_only_where_a_number_was_found() -> None:
    inbox = Inbox(workspace_id=new_id(), id=new_id(), name="x", channel="email", provider="smtp")
    html = Part(content=b"<b>4111-1111-1111-1111</b>", content_type="text/html", role="html")
    draft = Draft(inbox=inbox, external_id="1", values={"text": "10000000146"}, parts=(html,), original=b"MTAwMDAwMDAxNDY=")
    done = masked_draft(draft)
    assert (done.values["text"], done.parts[0].content, done.original) == ("*" * 11, b"<b>****-****-****-****</b>", b"")
    clean = replace(draft, values={"text": "selam"}, parts=())
    assert masked_draft(clean) == clean
    unparsed = replace(clean, values={"kind": "unparsed"}, original=b"no 10000000146")
    assert masked_draft(unparsed).original == b"no ***********"


def test_a_long_run_of_groups_takes_time_that_grows_with_it() -> None:
    # In time that grew with its square this took longer than a test may.
    assert masked("1 " * 100_000) == "1 " * 100_000
