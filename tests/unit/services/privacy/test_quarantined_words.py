"""A person's addresses in bytes that nobody could read: found however the provider wrote them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.forgetting import OwnHandle
from services.privacy.needles import HEAD_BYTES
from services.privacy.quarantine import sought
from shared.handle import normalized
from shared.ids import HandleId

LETTERS = "abizABIZçğıöşüÇĞİÖŞÜßéÅ0123456789-._"
WAYS: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "in capitals of ASCII": lambda text: "".join(one.upper() if one.isascii() else one for one in text).encode(),
    "composed": lambda text: unicodedata.normalize("NFC", text).encode(),
    "in pieces": lambda text: unicodedata.normalize("NFD", text).encode(),
    "escaped": lambda text: json.dumps(text).encode(),
    "escaped in capitals": lambda text: json.dumps(text).upper().encode(),
    "escaped in pieces": lambda text: json.dumps(unicodedata.normalize("NFD", text)).encode(),
}


def found(kind: str, value: str, raw: str, text: bytes) -> bool:
    handle = OwnHandle(id=HandleId(UUID(int=1)), handle=normalized(kind, value, region="TR"), raw=raw, name="")
    return bool(sought([handle]).standing([b"{" + text + b"}"]))


@given(st.text(LETTERS, min_size=HEAD_BYTES, max_size=20).filter(lambda text: text.strip("-._")), st.sampled_from(sorted(WAYS)))
def test_an_id_is_found_in_whatever_letters_it_is_written(value: str, way: str) -> None:
    assert found("external_id", value, value, WAYS[way](value))


@pytest.mark.parametrize(
    ("kind", "raw", "text"),
    [
        ("external_id", "MÜŞTERİ-7", "MÜŞTERİ-7"), ("external_id", "MÜŞTERİ-7", "müşteri-7".replace("i", "i\u0307")),
        ("email", "AYŞE@ornek.com", "From: AYŞE@Ornek.com"), ("email", "ayse@xn--mteri-kva70e.example", "<ayse@müşteri.example>"),
        ("email", "ayse@müşteri.example", "<Ayse@XN--mteri-kva70e.example>"), ("phone", "+905321234567", "00905321234567"),
    ],
)  # fmt: skip
def test_an_address_is_found_as_a_provider_writes_it(kind: str, raw: str, text: str) -> None:
    assert found(kind, raw, raw, text.encode())
    assert not found(kind, raw, raw, b"nobody" + text.encode()[:HEAD_BYTES])
