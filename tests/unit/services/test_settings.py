"""Settings from an environment: files, unknown names, what Kubernetes adds by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.settings import read_settings
from shared.errors import InputRejected


def test_a_port_is_read_and_an_address_of_kubernetes_is_not() -> None:
    assert read_settings({"SANTRAL_HTTP_PORT": "9000"}, strict=True).http_port == 9000
    assert read_settings({"SANTRAL_HTTP_PORT": "tcp://10.0.0.1:80"}, strict=True).http_port == 8080


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SANTRAL_PORT", "tcp://10.0.0.1:80"),
        ("SANTRAL_SERVICE_HOST", "10.0.0.1"),
        ("SANTRAL_SERVICE_PORT", "80"),
        ("SANTRAL_PORT_80_TCP_PORT", "80"),
        ("SANTRAL_API_PORT_80_TCP_PROTO", "tcp"),
    ],
)
def test_what_kubernetes_adds_is_nobodys_setting(name: str, value: str) -> None:
    read_settings({name: value}, strict=True)


def test_an_unknown_name_is_refused_with_the_nearest_when_strict() -> None:
    with pytest.raises(InputRejected, match="did you mean SANTRAL_SMTP_RELAY"):
        read_settings({"SANTRAL_SMTP_RELAI": "x"}, strict=True)
    read_settings({"SANTRAL_SMTP_RELAI": "x"})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40 + "\n")
    assert read_settings({"SANTRAL_SECRET_FILE": str(tmp_path / "secret")}).deployment_secret() == b"s" * 40
    with pytest.raises(InputRejected, match="SANTRAL_SECRET_FILE"):
        read_settings({"SANTRAL_SECRET_FILE": str(tmp_path / "missing")})


def test_a_wrong_value_names_its_variable_and_not_the_value() -> None:
    with pytest.raises(InputRejected, match="SANTRAL_HTTP_PORT") as caught:
        read_settings({"SANTRAL_HTTP_PORT": "s3cret"})
    assert "s3cret" not in str(caught.value)
