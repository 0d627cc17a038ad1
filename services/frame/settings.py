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
    """What a deployment decides. Durations in seconds, sizes in bytes. `make reference` writes the descriptions into docs/reference/settings.md."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr = Field(default=SecretStr(""), description="PostgreSQL as `santral_api`")
    database_worker_url: SecretStr = Field(
        default=SecretStr(""), description="PostgreSQL as `santral_worker` (gateway, router, courier)"
    )
    database_owner_url: SecretStr = Field(
        default=SecretStr(""), description="PostgreSQL as `santral_owner` (only `santral migrate`)"
    )
    kafka_bootstrap_servers: str = Field(default="", description="brokers, `host:port` separated by commas")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how brokers are spoken to"
    )
    kafka_sasl_mechanism: str = Field(
        default="PLAIN", description="how we sign in at brokers, where `SANTRAL_KAFKA_SECURITY` begins with `SASL`"
    )
    kafka_username: str | None = Field(default=None, description="as whom")
    kafka_password: SecretStr | None = Field(default=None, description="and with what")
    kafka_ca_file: str | None = Field(
        default=None, description="certificates that brokers' own must lead to, where they are not the system's"
    )
    topic_prefix: str = Field(
        default="santral", pattern=r"^[a-z0-9][a-z0-9._-]{0,100}$", description="before `.messages.v1` and `.events.v1`"
    )
    secret: SecretStr = Field(default=SecretStr(""), description="the deployment's secret, at least 32 characters, kept for ever")
    production: bool = Field(
        default=False,
        description="`true` in production, where `/docs`, `/openapi.json` and the demo's pages are off unless `SANTRAL_DOCS=true`",
    )
    docs: bool | None = Field(
        default=None, description="whether they are on, whatever `SANTRAL_PRODUCTION` says; left out: not in production"
    )
    host: str = Field(default="127.0.0.1", description="the address to listen at")
    trusted_proxies: str = Field(
        default="", description="addresses or networks of the proxies in front, whose `X-Forwarded-For` and `-Proto` count"
    )
    egress_allow: str = Field(
        default="",
        description="whom we may call beside the public network, and with credentials beside the providers' own hosts: `host`, "
        "`host:port`, `host:*`, `10.0.0.0/8`",
    )
    rate_key_per_s: int = Field(default=10_000, ge=0, description="calls of a key or agent; each process counts; 0: no limit")
    rate_workspace_per_s: int = Field(default=20_000, ge=0, description="calls of a workspace; each process counts; 0: no limit")
    rate_address_per_s: int = Field(
        default=100, ge=0, description="calls of an address without a credential; each process counts; 0: no limit"
    )
    rate_visitor_per_min: int = Field(
        default=60, ge=0, description="a visitor's lines in the chat; each process counts; 0: no limit"
    )
    chats_of_address: int = Field(
        default=200,
        ge=1,
        description="chats of one address open at once; each process counts. Above it stand half of 10 000 connections for all "
        "chats, a quarter for one workspace's, three tenths for agents; less where the system allows fewer open "
        "files. When all are taken, whoever has most gives up the one that is silent longest",
    )
    open_inboxes_until: date = Field(
        default=date(2027, 6, 30),
        description="until when inboxes of release 0.1.0 take posts without a secret, and the first scheme of signatures",
    )
    http_port: int = Field(default=8080, ge=0, le=65535, description="where the API listens")
    webhook_port: int = Field(default=8081, ge=0, le=65535, description="where the gateway takes providers' posts")
    smtp_port: int = Field(default=2525, ge=0, le=65535, description="where the gateway takes mail")
    gateway_health_port: int = Field(default=9101, ge=0, le=65535, description="the gateway's health port")
    router_health_port: int = Field(default=9102, ge=0, le=65535, description="the router's")
    api_health_port: int = Field(default=9103, ge=0, le=65535, description="the API's")
    courier_health_port: int = Field(default=9104, ge=0, le=65535, description="the courier's")
    public_url: str = Field(default="http://127.0.0.1:8080", description="how the world reaches the API")
    webhook_url: str = Field(default="http://127.0.0.1:8081", description="how the world reaches the gateway")
    blob_dir: Path = Field(default=Path("blobs"), description="the folder of files")
    blob_shared: bool = Field(
        default=False,
        description="`true` when every machine mounts the same volume there; else a gateway and a courier on two machines are "
        "refused",
    )
    unsent_files_bytes_max: int = Field(
        default=UNSENT_BYTES_MAX,
        ge=0,
        description="how much a workspace's files from `POST /v1/files` may take that no answer has taken yet, of which "
        "nobody has more than is left for the others (429 beyond); after a day they go by themselves",
    )
    spool_dir: Path | None = Field(default=None, description="the folder of this gateway's spool, for when the broker is away")
    smtp_relay: str | None = Field(
        default=None,
        description="`host:port` that takes outgoing mail. A mail address is one inbox's in the whole deployment, but a free "
        "address of any domain is anybody's: where workspaces do not trust each other, the relay decides which "
        "domains each may write from",
    )
    border_id: str = Field(default="", description="retired: refused with what to set instead")
    trust_all_mail_as: str = Field(
        default="",
        description="every mail's sender counts as proven, under this authserv-id: for one's own machine, refused elsewhere "
        "and in production",
    )
    border_evaluate_as: str = Field(
        default="",
        description="our listener is the mail border under this authserv-id: it evaluates SPF, DKIM, ARC and DMARC of what comes",
    )
    border_trusted_sealers: str = Field(default="", description="domains whose ARC seals it believes")
    nameserver: str = Field(default="", description="the name server it asks (`ADDRESS:PORT`); left out: the system's")
    classifier_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description="your own model, asked about messages of workspaces with `classify: true`",
    )
    classifier_token: SecretStr | None = Field(default=None, description="what it is sent as a bearer token")
    classifier_budget_ms: int = Field(default=300, ge=10, le=10_000, description="how long a fetch waits for it")
    demo_dir: Path | None = Field(default=None, description="set by `santral serve --demo`: the demo's folder")
    log_form: Literal["json", "console"] = Field(default="json", description="for a machine or a person")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="what is logged at all")

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
        raise InputRejected(first["msg"], field=variable, remedy="see docs/reference/settings.md") from error


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
    remedy = f"did you mean {nearest}?" if nearest else "see docs/reference/settings.md"
    if strict:
        raise InputRejected("no such setting", field=name, remedy=remedy)
    log.warning("an unknown setting is ignored", action="unknown_setting", setting=name, nearest=nearest)
