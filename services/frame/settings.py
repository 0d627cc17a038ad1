"""Settings, read once in `main()` from ``SANTRAL_…`` variables and handed on as values.

Secrets may come from files: ``SANTRAL_SECRET_FILE`` beside ``SANTRAL_SECRET``, and so for the database addresses and Kafka's password.
An unknown variable is a warning with the nearest right name, an error under ``--strict``. Kubernetes puts addresses such as
``SANTRAL_PORT=tcp://10.0.0.1:80`` into every pod beside a Service named santral; those are nobody's setting and are ignored.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from router.commands.kept_files import UNSENT_BYTES_MAX
from services.frame.egress import Allowed, allowed_from
from services.frame.mail_border import MailBorder, border_from
from services.frame.rates import RATES, Kind
from shared.errors import InputRejected
from shared.kafka import KafkaSettings
from shared.logs import get_log
from shared.topics import Topics

log = get_log(__name__)
PREFIX: Final = "SANTRAL_"
_KUBERNETES: Final = re.compile(r"^SANTRAL_(?:[A-Z0-9_]*_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT(?:_\d+_(?:TCP|UDP).*)?)$")
_MISSPELT: Final = re.compile(r"^SANTRAL_\w+(?<!_SERVICE)(?<!_TCP)(?<!_UDP)_PORT$")
_KUBERNETES_VALUE: Final = re.compile(r"^(?:(?:tcp|udp)://.*|[\d.]+|tcp|udp)$")


class Settings(BaseSettings):
    """What a deployment decides. Durations in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr = SecretStr("")
    database_worker_url: SecretStr = SecretStr("")
    database_owner_url: SecretStr = SecretStr("")
    kafka_bootstrap_servers: str = ""
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: str = "PLAIN"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: str | None = None
    topic_prefix: str = Field(default="santral", pattern=r"^[a-z0-9][a-z0-9._-]{0,100}$")
    secret: SecretStr = SecretStr("")
    production: bool = False
    docs: bool | None = None
    host: str = "127.0.0.1"
    trusted_proxies: str = ""
    egress_allow: str = ""
    rate_key_per_s: int = Field(default=10_000, ge=0)
    rate_workspace_per_s: int = Field(default=20_000, ge=0)
    rate_address_per_s: int = Field(default=100, ge=0)
    rate_visitor_per_min: int = Field(default=60, ge=0)
    chats_of_address: int = Field(default=200, ge=1)
    open_inboxes_until: date = date(2027, 6, 30)
    http_port: int = Field(default=8080, ge=0, le=65535)
    webhook_port: int = Field(default=8081, ge=0, le=65535)
    smtp_port: int = Field(default=2525, ge=0, le=65535)
    gateway_health_port: int = Field(default=9101, ge=0, le=65535)
    router_health_port: int = Field(default=9102, ge=0, le=65535)
    api_health_port: int = Field(default=9103, ge=0, le=65535)
    courier_health_port: int = Field(default=9104, ge=0, le=65535)
    public_url: str = "http://127.0.0.1:8080"
    webhook_url: str = "http://127.0.0.1:8081"
    blob_dir: Path = Path("blobs")
    blob_shared: bool = False
    unsent_files_bytes_max: int = Field(default=UNSENT_BYTES_MAX, ge=0)
    spool_dir: Path | None = None
    smtp_relay: str | None = None
    border_id: str = ""
    trust_all_mail_as: str = ""
    border_evaluate_as: str = ""
    border_trusted_sealers: str = ""
    nameserver: str = ""
    classifier_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+")
    classifier_token: SecretStr | None = None
    classifier_budget_ms: int = Field(default=300, ge=10, le=10_000)
    demo_dir: Path | None = None
    log_form: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `read_settings` hands in: the environment is read there, with its files."""
        return (init_settings,)

    def kafka(self) -> KafkaSettings:
        """The brokers. Raises `InputRejected` when none are named."""
        if not self.kafka_bootstrap_servers:
            raise _missing("SANTRAL_KAFKA_BOOTSTRAP_SERVERS")
        return KafkaSettings(
            bootstrap=self.kafka_bootstrap_servers, security=self.kafka_security, sasl_mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username, password=self.kafka_password.get_secret_value() if self.kafka_password else None,
            ca_file=self.kafka_ca_file,
        )  # fmt: skip

    def shows_docs(self) -> bool:
        """Whether the API shows its reference and the demo's pages: where it is said, else everywhere but in production."""
        return not self.production if self.docs is None else self.docs

    def mail_border(self) -> MailBorder | None:
        """What our SMTP listener says of senders. Raises `InputRejected`."""
        return border_from(
            trust_all_as=self.trust_all_mail_as, evaluate_as=self.border_evaluate_as, retired=self.border_id,
            sealers=self.border_trusted_sealers, nameserver=self.nameserver, host=self.host, production=self.production,
        )  # fmt: skip

    def proxies(self) -> tuple[str, ...]:
        """Whose word about the caller's address counts. Raises `InputRejected` for what is neither address nor network."""
        given = [one.strip() for one in self.trusted_proxies.split(",") if one.strip()]
        for one in given:
            try:
                ipaddress.ip_network(one, strict=False)
            except ValueError as error:
                raise InputRejected(
                    f"{one} is neither an address nor a network", field="SANTRAL_TRUSTED_PROXIES",
                    remedy="name the proxies in front, such as 10.0.0.0/8, separated by commas",
                ) from error  # fmt: skip
        return tuple(given)

    def rates(self) -> dict[Kind, int]:
        """What the deployment says of rates, in the windows of `RATES`; 0 counts nothing."""
        return {
            "key": self.rate_key_per_s,
            "workspace": self.rate_workspace_per_s,
            "address": self.rate_address_per_s * RATES["address"][1],
            "visitor": self.rate_visitor_per_min,
        }

    def egress(self) -> Allowed:
        """Whom we may call beside the public network. Raises `InputRejected`."""
        return allowed_from(self.egress_allow)

    def grace_until(self) -> datetime:
        """When inboxes from before are not posted to without a secret any more: the beginning of that day, in UTC."""
        return datetime.combine(self.open_inboxes_until, time.min, tzinfo=UTC)

    def topics(self) -> Topics:
        """The topics' names."""
        return Topics.under(self.topic_prefix)

    def database(self, role: Literal["api", "worker", "owner"]) -> str:
        """A role's address. Raises `InputRejected` naming the variable that is missing."""
        url = {"api": self.database_url, "worker": self.database_worker_url, "owner": self.database_owner_url}[role]
        if not url.get_secret_value():
            raise _missing({"api": "SANTRAL_DATABASE_URL"}.get(role, f"SANTRAL_DATABASE_{role.upper()}_URL"))
        return url.get_secret_value()

    def deployment_secret(self) -> bytes:
        """The secret that ids, signatures and sealed secrets hang on; at least 32 characters."""
        value = self.secret.get_secret_value()
        if len(value) < 32:
            raise InputRejected(
                "missing, or shorter than 32 characters", field="SANTRAL_SECRET", remedy="openssl rand -hex 32; keep it for ever"
            )
        return value.encode()


def _missing(name: str) -> InputRejected:
    return InputRejected("not set", field=name, remedy="set it, or use santral serve, which brings its own servers")


def read_settings(environment: Mapping[str, str] = os.environ, *, strict: bool = False) -> Settings:
    """The settings from an environment. Raises `InputRejected` naming the variable and what it should look like."""
    values: dict[str, Any] = {}
    for name, value in environment.items():
        field = name.removeprefix(PREFIX).lower()
        if not name.startswith(PREFIX) or _from_kubernetes(name, value, known=field in Settings.model_fields):
            continue
        if field in Settings.model_fields:
            if value:  # compose files hand on what nobody set as an empty value
                values[field] = value
        elif field.endswith("_file") and field.removesuffix("_file") in Settings.model_fields:
            values[field.removesuffix("_file")] = _read_file(name, value)
        else:
            _unknown(name, strict=strict)
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        raise InputRejected(first["msg"], field=variable, remedy="see the README's table of settings") from error


def _from_kubernetes(name: str, value: str, *, known: bool) -> bool:
    """A name that ends in PORT is Kubernetes' doing with an address only; with a plain number it is a setting, or one misspelt."""
    alike = _KUBERNETES.match(name) is not None and _KUBERNETES_VALUE.match(value) is not None
    return alike and ("://" in value or not (known or _MISSPELT.match(name)))


def _read_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InputRejected(
            f"the file cannot be read: {error.strerror}", field=name, remedy="mount it, or set the value"
        ) from error


def _unknown(name: str, *, strict: bool) -> None:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    nearest = next(iter(get_close_matches(name, known, n=1)), None)
    remedy = f"did you mean {nearest}?" if nearest else "see the README's table of settings"
    if strict:
        raise InputRejected("no such setting", field=name, remedy=remedy)
    log.warning("an unknown setting is ignored", action="unknown_setting", setting=name, nearest=nearest)
