"""Signatures: three schemes, foreign signers, and everything that is no signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from ingest.signatures import signed_bytes, verify_bearer, verify_meta, verify_post
from shared.errors import Unauthenticated

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two whole bytes!").decode()
BODY = '{"text": "Merhaba, ışık söndü 🙂"}'


def _verified(
    headers: dict[str, str], *, body: bytes = BODY.encode(), secret: str = SECRET, first: bool = False, at: datetime = NOW
) -> str:
    return verify_post(body, headers, secret, now_s=at.timestamp(), first_scheme=first)


def _standard(message_id: str = "msg_1", at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    signature = Webhook(secret).sign(message_id, at, BODY)
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def _own(timestamp: str, token: str, body: bytes = BODY.encode(), secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), signed_bytes(timestamp, token, body), hashlib.sha256).hexdigest()
    return {"santral-timestamp": timestamp, "santral-token": token, "santral-signature": f"v2={digest}"}


def _first(timestamp: str, token: str, body: bytes = BODY.encode(), secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"{timestamp}.{token}.".encode() + body, hashlib.sha256).hexdigest()
    return {"santral-timestamp": timestamp, "santral-token": token, "santral-signature": digest}


STAMP = f"{NOW.timestamp():.0f}"


def test_a_foreign_signer_is_understood() -> None:
    assert _verified(_standard()) == "msg_1"
    rotated = _standard() | {"webhook-signature": "v1,AAAA v2,x " + _standard()["webhook-signature"]}
    assert _verified(rotated) == "msg_1"


def test_our_own_scheme_and_the_first_one_while_it_lasts() -> None:
    assert _verified(_own(STAMP, "t.1")) == "t.1"
    assert _verified(_first(STAMP, "t"), first=True) == "t"
    with pytest.raises(Unauthenticated, match="not taken any more"):
        _verified(_first(STAMP, "t"))


def test_nothing_can_move_from_one_part_into_the_next() -> None:
    """The first scheme's fault: the same bytes are signed for another token and another body."""
    first = _first(STAMP, "a", b"b.c")
    assert _verified({**first, "santral-token": "a.b"}, body=b"c", first=True) == "a.b"
    second = _own(STAMP, "a", b"b.c")
    with pytest.raises(Unauthenticated):
        _verified({**second, "santral-token": "a.b"}, body=b"c")


@pytest.mark.parametrize(
    "timestamp",
    ["nan", "inf", "-inf", "1e9", "١٢٣", "", " ", "9" * 400, "0x1", "-1", f"{NOW.timestamp() - 301:.0f}", f"{NOW.timestamp() + 301:.0f}", "1.5.5",
     STAMP + "\n"],
)  # fmt: skip
def test_what_is_no_time_of_now_is_refused(timestamp: str) -> None:
    for headers in (_own(timestamp, "t"), _first(timestamp, "t"), _standard() | {"webhook-timestamp": timestamp}):
        with pytest.raises(Unauthenticated):
            _verified(headers, first=True)


@pytest.mark.parametrize("given", ["", "ğ", "\udcff", "v2=", "v2=ğ", "v1,", "v1", "sha256=", "x" * 5000, "v1,a,b", "  v1,x"])
def test_what_is_no_signature_is_refused(given: str) -> None:
    for headers in (
        _own(STAMP, "t") | {"santral-signature": given}, _standard() | {"webhook-signature": given},
    ):  # fmt: skip
        with pytest.raises(Unauthenticated):
            _verified(headers, first=True)
    with pytest.raises(Unauthenticated):
        verify_meta(b"x", given, "secret")
    with pytest.raises(Unauthenticated):
        verify_bearer(given, "secret")


@pytest.mark.parametrize("token", ["", "ğ", "a\nb", "x" * 257, "\udcff"])
def test_what_is_no_token_is_refused(token: str) -> None:
    for headers in (_own(STAMP, "t") | {"santral-token": token}, _standard() | {"webhook-id": token}):
        with pytest.raises(Unauthenticated):
            _verified(headers)


def test_an_empty_secret_verifies_nothing() -> None:
    with pytest.raises(Unauthenticated):
        _verified(_own(STAMP, "t", secret=""), secret="")
    with pytest.raises(Unauthenticated):
        _verified(_first(STAMP, "t", secret=""), secret="", first=True)
    nothing = base64.b64encode(hmac.new(b"", f"msg_1.{STAMP}.{BODY}".encode(), hashlib.sha256).digest()).decode()
    for secret in ("whsec_", "whsec_ ", "", "   "):
        with pytest.raises(Unauthenticated):
            _verified(_standard() | {"webhook-signature": f"v1,{nothing}"}, secret=secret)
    for secret in ("", " "):
        with pytest.raises(Unauthenticated):
            verify_bearer(f"Bearer {secret}", secret)
    with pytest.raises(Unauthenticated):
        verify_meta(b"", "sha256=" + hmac.new(b"", b"", hashlib.sha256).hexdigest(), "")


def test_one_byte_more_or_another_key_is_refused() -> None:
    other = "whsec_" + base64.b64encode(b"another key of thirty-two bytes!").decode()
    for headers in (_own(STAMP, "t"), _standard()):
        with pytest.raises(Unauthenticated):
            _verified(headers, body=BODY.encode() + b" ")
        with pytest.raises(Unauthenticated):
            _verified(headers, secret=other)
    with pytest.raises(Unauthenticated, match="no base64"):
        _verified(_standard(), secret="whsec_ğ")


def test_the_shell_example_of_the_page_signs_as_we_do(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/integrate/signing.md").read_text(encoding="utf-8")
    function = page.split("```bash\n")[1].split("time=$(")[0]
    (tmp_path / "body.json").write_text(BODY, encoding="utf-8")
    script = f"time={STAMP} token=t1 secret='{SECRET}'\n{function}\nsign\n"
    said = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    assert _verified({"santral-timestamp": STAMP, "santral-token": "t1", "santral-signature": f"v2={said}"}) == "t1"
