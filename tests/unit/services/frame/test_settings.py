"""Settings as an operator writes them: right, wrong, misspelt, from files, and beside what Kubernetes puts there."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.frame.settings import read_settings
from shared.errors import InputRejected

KUBERNETES = {
    "SANTRAL_PORT": "tcp://10.0.0.1:80",
    "SANTRAL_SERVICE_HOST": "10.0.0.1",
    "SANTRAL_SERVICE_PORT": "80",
    "SANTRAL_SERVICE_PORT_HTTP": "80",
    "SANTRAL_PORT_80_TCP": "tcp://10.0.0.1:80",
    "SANTRAL_PORT_80_TCP_ADDR": "10.0.0.1",
    "SANTRAL_PORT_80_TCP_PORT": "80",
    "SANTRAL_PORT_80_TCP_PROTO": "tcp",
    "SANTRAL_GATEWAY_SERVICE_HOST": "10.0.0.2",
    "SANTRAL_GATEWAY_PORT_2525_TCP": "tcp://10.0.0.2:2525",
    "SANTRAL_SMTP_PORT": "tcp://10.0.0.2:2525",
}


def test_values_come_from_the_environment_that_is_handed_in() -> None:
    settings = read_settings({"SANTRAL_HTTP_PORT": "9000", "SANTRAL_TOPIC_PREFIX": "acme", "PATH": "/bin"}, strict=True)
    assert settings.http_port == 9000
    assert settings.topics().messages == "acme.messages.v1"


def test_what_kubernetes_adds_is_nobodys_setting() -> None:
    settings = read_settings(KUBERNETES, strict=True)
    assert settings == read_settings({})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SANTRAL_HTTP_PROT", "SANTRAL_HTTP_PORT"),
        ("SANTRAL_HTP_PORT", "SANTRAL_HTTP_PORT"),
        ("SANTRAL_KAFKA_BOOTSTRAP", "SANTRAL_KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_a_misspelt_name_is_told_with_the_right_one(name: str, nearest: str) -> None:
    with pytest.raises(InputRejected, match=nearest) as caught:
        read_settings({name: "8080"}, strict=True)
    assert caught.value.field == name
    assert read_settings({name: "8080"}) == read_settings({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SANTRAL_HTTP_PORT", "many"),
        ("SANTRAL_HTTP_PORT", "70000"),
        ("SANTRAL_TOPIC_PREFIX", "A B"),
        ("SANTRAL_LOG_FORM", "xml"),
        ("SANTRAL_CLASSIFIER_URL", "models.example:80"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(InputRejected) as caught:
        read_settings({name: value})
    assert caught.value.field == name


def test_an_empty_value_is_no_value() -> None:
    assert read_settings({"SANTRAL_SPOOL_DIR": "", "SANTRAL_HTTP_PORT": ""}, strict=True).spool_dir is None


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s" * 40 + "\n", encoding="utf-8")
    settings = read_settings({"SANTRAL_SECRET_FILE": str(file)}, strict=True)
    assert settings.deployment_secret() == b"s" * 40
    with pytest.raises(InputRejected) as caught:
        read_settings({"SANTRAL_SECRET_FILE": str(tmp_path / "absent")})
    assert caught.value.field == "SANTRAL_SECRET_FILE"


def test_a_secret_is_never_printed() -> None:
    settings = read_settings({"SANTRAL_SECRET": "do-not-show-this-secret-to-anybody", "SANTRAL_KAFKA_PASSWORD": "nor-this"})
    assert "do-not-show" not in repr(settings)
    assert "nor-this" not in repr(settings)
    assert "nor-this" not in repr(
        read_settings({"SANTRAL_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "SANTRAL_KAFKA_PASSWORD": "nor-this"}).kafka()
    )


def test_what_is_missing_is_named_when_it_is_needed() -> None:
    settings = read_settings({"SANTRAL_SECRET": "short"})
    for need, field in (
        (settings.kafka, "SANTRAL_KAFKA_BOOTSTRAP_SERVERS"),
        (settings.deployment_secret, "SANTRAL_SECRET"),
        (lambda: settings.database("api"), "SANTRAL_DATABASE_URL"),
        (lambda: settings.database("worker"), "SANTRAL_DATABASE_WORKER_URL"),
    ):
        with pytest.raises(InputRejected) as caught:
            need()
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("production", "docs", "shown"),
    [("false", None, True), ("true", None, False), ("true", "true", True), ("false", "false", False)],
)
def test_the_reference_is_off_in_production_unless_it_is_said(production: str, docs: str | None, shown: bool) -> None:
    given = {"SANTRAL_PRODUCTION": production} | ({} if docs is None else {"SANTRAL_DOCS": docs})
    assert read_settings(given, strict=True).shows_docs() is shown
