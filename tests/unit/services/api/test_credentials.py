"""Tokens: their form, their check, what is stored of them."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.credentials import KINDS, Kind, new_token, read_token
from shared.errors import Unauthenticated

KIND = st.sampled_from(sorted(KINDS))


@given(KIND)
def test_a_new_token_reads_back(kind: Kind) -> None:
    token = new_token(kind)
    assert re.fullmatch(rf"santral_{kind}_[0-9A-Za-z]{{8}}_[0-9A-Za-z]{{49}}", token.text)
    assert read_token(token.text) == token


@given(KIND)
def test_what_is_stored_is_no_token(kind: Kind) -> None:
    token = new_token(kind)
    secret = token.text.split("_")[3][:43]
    assert token.secret_hash == hashlib.sha256(secret.encode()).digest()
    assert secret not in token.public_id
    assert token.secret_hash.hex() not in token.text


@given(KIND, st.integers(0, 200), st.characters(codec="ascii"))
def test_one_changed_character_is_refused(kind: Kind, place: int, other: str) -> None:
    text = new_token(kind).text
    place %= len(text)
    changed = text[:place] + other + text[place + 1 :]
    if changed.strip() == text:
        return
    with pytest.raises(Unauthenticated):
        read_token(changed)


@given(st.text(max_size=120))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        read_token(text)


def test_two_tokens_differ() -> None:
    tokens = {new_token("live").text for _ in range(200)}
    assert len(tokens) == 200
