"""Secrets at rest: opened by who may, refused after any change, readable after a rotation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputRejected
from shared.sealing import Sealer

OLD = b"the first secret of a deployment, 32+"
NEW = b"the second secret of a deployment, 32+"
SECRETS = {"app_secret": "şifre", "token": "abc"}


@given(secrets=st.dictionaries(st.text(max_size=20), st.text(max_size=80), min_size=1, max_size=5))
def test_what_is_sealed_opens_the_same(secrets: dict[str, str]) -> None:
    sealed = Sealer(OLD).seal(secrets)
    assert sealed is not None
    assert Sealer(OLD).open(sealed) == secrets


def test_the_same_secrets_are_never_sealed_alike_and_never_in_clear() -> None:
    one, two = Sealer(OLD).seal(SECRETS), Sealer(OLD).seal(SECRETS)
    assert one is not None
    assert two is not None
    assert one != two
    assert b"abc" not in one


def test_no_secrets_are_no_bytes() -> None:
    assert Sealer(OLD).seal({}) is None


def test_a_rotation_opens_the_old_and_seals_with_the_new() -> None:
    old = Sealer(OLD).seal(SECRETS)
    assert old is not None
    rotated = Sealer(NEW, earlier=[OLD])
    assert rotated.open(old) == SECRETS
    new = rotated.seal(SECRETS)
    assert new is not None
    assert Sealer(NEW).open(new) == SECRETS
    with pytest.raises(InputRejected, match="another deployment"):
        Sealer(OLD).open(new)


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed(place: int, flip: int) -> None:
    sealed = Sealer(OLD).seal(SECRETS)
    assert sealed is not None
    changed = bytearray(sealed)
    changed[place % len(changed)] ^= flip
    with pytest.raises(InputRejected):
        Sealer(OLD).open(bytes(changed))


@pytest.mark.parametrize("length", [0, 3, 4, 10, 16, 20])
def test_a_short_rest_is_refused(length: int) -> None:
    sealed = Sealer(OLD).seal(SECRETS)
    assert sealed is not None
    with pytest.raises(InputRejected):
        Sealer(OLD).open(sealed[:length])
