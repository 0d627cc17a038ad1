"""Secrets that an operator sets are in nothing a command says, whether it works, fails, or is given something wrong beside them."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

import pytest

from services.frame.settings import Settings, read_settings
from shared.errors import InputRejected
from tests.support.serving import said_by

SECRETS: Final = sorted(name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))


def planted() -> tuple[dict[str, str], dict[str, str]]:
    """An environment with a canary in every secret setting, and the canaries by setting; addresses lead nowhere."""
    canaries = {name: f"kanarya{name.replace('_', '')}{uuid4().hex}" for name in SECRETS}
    values = {
        name: f"postgresql://santral_{name}:{word}@127.0.0.1:9/santral" if name.endswith("_url") else word
        for name, word in canaries.items()
    }
    environment = {f"SANTRAL_{name.upper()}": value for name, value in values.items()}
    return environment | {
        "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "SANTRAL_KAFKA_SECURITY": "SASL_PLAINTEXT", "SANTRAL_KAFKA_USERNAME": "santral",
        "SANTRAL_SMTP_RELAY": "127.0.0.1:9", "SANTRAL_CLASSIFIER_URL": "http://127.0.0.1:9/ask",
    }, canaries  # fmt: skip


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("doctor",), {}), (("doctor", "--json"), {}), (("doctor", "--where-data-goes"), {}), (("--debug", "migrate"), {}),
        (("topics", "plan"), {}), (("gateway",), {"SANTRAL_HTTP_PORT": "many"}), (("courier", "--strict"), {"SANTRAL_SECRETT": "x"}),
    ],
)  # fmt: skip
async def test_what_a_command_says_holds_no_secret(words: tuple[str, ...], more: dict[str, str]) -> None:
    environment, canaries = planted()
    status, said = await said_by(*words, environment=environment | more)
    assert status != 0
    assert len(said) > 10
    assert [name for name, word in canaries.items() if word in said] == []


def test_settings_and_their_errors_hold_no_secret() -> None:
    environment, canaries = planted()
    assert len(canaries) >= 6
    shown = [repr(read_settings(environment)), str(read_settings(environment)), read_settings(environment).model_dump_json()]
    for name in SECRETS:
        try:
            read_settings(environment | {"SANTRAL_HTTP_PORT": canaries[name] if name == "secret" else "x"})
        except InputRejected as error:
            shown += [str(error), repr(error), repr(error.__cause__)]
    assert [name for name, word in canaries.items() if any(word in one for one in shown)] == []
