from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.reply_token import conversation_of, reply_address
from shared.errors import InputRejected

SECRET = b"k" * 32
BOX = "Destek@ornek.com"
V7 = UUID("019a4a3c-7b1e-7cde-8f01-23456789abcd")


@given(st.uuids())
def test_any_conversation_comes_back(conversation_id: UUID) -> None:
    assert conversation_of(reply_address(BOX, conversation_id, SECRET), SECRET) == conversation_id


@given(st.integers(0, 2**42 - 1), st.integers(0, 2**12 - 1), st.integers(0, 2**62 - 1))
def test_ids_of_version_7_take_40_characters(time_ms: int, high: int, low: int) -> None:
    conversation_id = UUID(int=time_ms << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
    address = reply_address(BOX, conversation_id, SECRET)
    token = address.partition("@")[0].rpartition("+")[2]
    assert len(token) == 40
    assert token == token.lower()
    assert conversation_of(address, SECRET) == conversation_id


@pytest.mark.parametrize("conversation_id", [V7, uuid4()], ids=["compact", "long"])
def test_case_does_not_matter(conversation_id: UUID) -> None:
    address = reply_address(BOX, conversation_id, SECRET)
    assert conversation_of(address.upper(), SECRET) == conversation_id
    assert conversation_of(f"<{address.lower()}>", SECRET) == conversation_id


@pytest.mark.parametrize("conversation_id", [V7, uuid4()], ids=["compact", "long"])
def test_no_character_can_be_changed(conversation_id: UUID) -> None:
    address = reply_address(BOX, conversation_id, SECRET)
    start, end = address.index("+") + 1, address.index("@")
    for at in range(start, end):
        for letter in "a7":
            changed = address[:at] + letter + address[at + 1 :]
            assert changed == address or conversation_of(changed, SECRET) is None


def test_token_is_bound_to_mailbox_and_secret() -> None:
    address = reply_address(BOX, V7, SECRET)
    assert conversation_of(address.replace("Destek", "satis"), SECRET) is None
    assert conversation_of(address.replace("ornek.com", "ornek.net"), SECRET) is None
    assert conversation_of(address, b"other") is None


def test_mailbox_with_a_plus_of_its_own() -> None:
    assert conversation_of(reply_address("destek+tr@ornek.com", V7, SECRET), SECRET) == V7


@pytest.mark.parametrize(
    "address",
    ["", "@", "a@b", "a+b@c", "a+" + "a" * 40 + "@b", "a+" + "a" * 42 + "@b", "a+" + "1" * 40 + "@b", "a+" + "ı" * 40 + "@b"],
)
def test_other_addresses_are_nobodys(address: str) -> None:
    assert conversation_of(address, SECRET) is None


def test_mailbox_must_be_an_address() -> None:
    with pytest.raises(InputRejected):
        reply_address("destek", V7, SECRET)
