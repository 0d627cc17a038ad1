"""Which identities of a host site are believed: everything that proves nothing is refused in the same way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey

from ingest.setting_formats import is_es256_key
from services.api.chat_identity import claims_of, identity_keys
from shared.errors import Unauthenticated
from shared.handle import normalized
from tests.support.chat import IDENTITY, good_claims, signed

ONE, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
AUDIENCES = ("webchat", "token-of-the-widget")


def pem(key: ECKey, *, private: bool = False) -> str:
    return key.as_pem(private=private).decode()


SETTINGS = {"identity_keys": [{"kid": "2026-11", "public_key": pem(ONE)}, {"kid": "2026-12", "public_key": pem(OTHER)}]}
KEYS = identity_keys(SETTINGS, {"identity_secret": IDENTITY, "identity_secret_previous": "the secret of before, long enough"})


def believed(token: str) -> dict[str, str]:
    return claims_of(token, KEYS, AUDIENCES, datetime.now(UTC))


def raw(header: Any, claims: str, secret: str = IDENTITY) -> str:
    """A token whose claims are JSON as written here, signed with the right secret or another."""
    parts = [base64.urlsafe_b64encode(one.encode()).rstrip(b"=").decode() for one in (json.dumps(header), claims)]
    return ".".join([*parts, signature(".".join(parts), secret)])


def signature(signed_part: str, secret: str) -> str:
    made = hmac.new(secret.encode(), signed_part.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def with_exp(exp: str) -> str:
    return raw({"alg": "HS256"}, f'{{"sub": "customer-7", "aud": "webchat", "exp": {exp}}}')


@pytest.mark.parametrize(
    "token",
    [
        signed(good_claims()),
        signed(good_claims(exp=time.time() + 600.5)),
        signed(good_claims(aud=["another", "webchat"])),
        signed(good_claims(aud="token-of-the-widget")),
        signed(good_claims(), "the secret of before, long enough"),
        signed(good_claims(), kid="a name that HS256 keys do not have"),
        signed(good_claims(), ONE, "ES256"),
        signed(good_claims(), OTHER, "ES256"),
        signed(good_claims(), OTHER, "ES256", kid="2026-12"),
        with_exp(str(int(time.time()) + 600)),
    ],
)
def test_what_a_site_signed_is_believed(token: str) -> None:
    assert believed(token)["external_id"] == "customer-7"


def test_the_customers_own_words_are_kept() -> None:
    token = signed(good_claims(sub="x", external_id=42, email="ayse@ornek.com", name="Ayşe Yılmaz", role="admin"))
    assert believed(token) == {"external_id": "42", "email": "ayse@ornek.com", "name": "Ayşe Yılmaz"}


@pytest.mark.parametrize("claim", ["sub", "external_id"])
@pytest.mark.parametrize(
    "value",
    [
        "\u212aemal",
        "ays\u0327e",
        "ali\u00a0",
        " ali",
        "ali ",
        "\u2003",
        "a\u200db",
        "\ufeffali",
        "a\u00adli",
        "a\u202eli",
        "a\u0085b",
        "a\u2028b",
    ],
)
def test_an_id_that_would_become_anothers_is_refused_and_named(claim: str, value: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        believed(signed(good_claims(**{claim: value})))
    assert f"the identity's {claim} " in refused.value.message
    assert refused.value.remedy


@pytest.mark.parametrize("value", ["Kemal", "ayşe", "ali veli", "C-1042", "李", "kemal@example.com"])
def test_an_id_is_its_handle_to_the_letter(value: str) -> None:
    assert believed(signed(good_claims(sub=value)))["external_id"] == value == normalized("external_id", value).value


def bad() -> dict[str, str]:
    good = signed(good_claims())
    head, body, tail = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return {
        "another secret": signed(good_claims(), "another secret of enough characters!!"),
        "another key": signed(good_claims(), ECKey.generate_key("P-256"), "ES256"),
        "the right key under another name": signed(good_claims(), ONE, "ES256", kid="2026-12"),
        "a name nobody has": signed(good_claims(), ONE, "ES256", kid="2020-01"),
        "no algorithm": f"{none}.{body}.",
        "no algorithm, with a signature": f"{none}.{body}.{tail}",
        "the public key as a secret": raw({"alg": "HS256", "kid": "2026-11"}, json.dumps(good_claims()), pem(ONE)),
        "another algorithm of the secret": signed(good_claims(), IDENTITY, "HS512"),
        "expired": signed(good_claims(exp=int(time.time()) - 3600)),
        "not yet": signed(good_claims(nbf=int(time.time()) + 1800)),
        "lives too long": signed(good_claims(exp=int(time.time()) + 86400)),
        "exp of 400 digits": with_exp("9" * 400),
        "exp of NaN": with_exp("NaN"),
        "exp of Infinity": with_exp("Infinity"),
        "exp far beyond": with_exp("1e300"),
        "exp a text": with_exp('"tomorrow"'),
        "exp a boolean": with_exp("true"),
        "exp null": with_exp("null"),
        "without exp": signed({"sub": "customer-7", "aud": "webchat"}),
        "another inbox": signed(good_claims(aud="another")),
        "without aud": signed({"sub": "customer-7", "exp": int(time.time()) + 600}),
        "names nobody": signed({"aud": "webchat", "exp": int(time.time()) + 600}),
        "claims are a list": raw({"alg": "HS256"}, "[1]"),
        "claims are no JSON": raw({"alg": "HS256"}, "{"),
        "an id too long": signed(good_claims(sub="x" * 513)),
        "an id that is an object": signed(good_claims(external_id={"a": 1})),
        "an id with a control character": signed(good_claims(sub="a\0b")),
        "an id with half a character": raw(
            {"alg": "HS256"}, f'{{"sub": "\\ud800", "aud": "webchat", "exp": {int(time.time()) + 600}}}'
        ),
        "a name too long": signed(good_claims(name="x" * 513)),
        "not ASCII": good[:-4] + "éééé",
        "changed": good[:-4] + ("AAAA" if not good.endswith("AAAA") else "BBBB"),
        "five parts": f"{good}.{head}.{body}",
        "no token": "hello",
        "a deep header": f"{base64.urlsafe_b64encode(b'[' * 1500).decode()}.{body}.{tail}",
    }


@pytest.mark.parametrize("what", bad())
def test_what_proves_nothing_is_refused(what: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        believed(bad()[what])
    assert caught.value.field == "identity"
    assert caught.value.remedy


def test_an_inbox_without_keys_believes_nobody() -> None:
    with pytest.raises(Unauthenticated):
        claims_of(signed(good_claims()), identity_keys({}, {}), AUDIENCES, datetime.now(UTC))


def test_two_ids_that_begin_alike_stay_two() -> None:
    one, other = (believed(signed(good_claims(sub="x" * 511 + end)))["external_id"] for end in "ab")
    assert one != other


def test_an_identity_ends() -> None:
    token = signed(good_claims())
    with pytest.raises(Unauthenticated):
        claims_of(token, KEYS, AUDIENCES, datetime.now(UTC) + timedelta(hours=1))


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".e30.AA"))
def test_whatever_comes_is_refused_in_words(text: str) -> None:
    with pytest.raises(Unauthenticated):
        believed(text)


def test_only_a_public_key_of_es256_is_a_key() -> None:
    assert is_es256_key(pem(ONE))
    for text in (
        pem(ONE, private=True),
        pem(ECKey.generate_key("P-384")),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ):
        assert not is_es256_key(text)
    assert not is_es256_key(OctKey.generate_key(256).as_dict()["k"])  # type: ignore[arg-type]
