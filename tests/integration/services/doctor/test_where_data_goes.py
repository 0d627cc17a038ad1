"""Who outside is sent personal data, as `santral doctor --where-data-goes` tells it of a real database: each, and nobody looked up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.registry import OURS
from services.doctor.recipients import AS_OF, EEA, KNOWN, is_abroad
from services.doctor.where_data_goes import HERE, Place, where_data_goes
from services.frame.settings import Settings
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.ids import new_id
from tests.support.serving import said_by
from tests.support.workspaces import Workspace


def settings_for(urls: PostgresUrls, **more: Any) -> Settings:
    return Settings.model_validate(
        {
            "database_worker_url": urls.worker, "kafka_bootstrap_servers": "kafka-1.intern:9092,127.0.0.1:9093",
            "smtp_relay": "mail.ornek.com:25", "classifier_url": "https://model.ornek.com/ask", **more,
        }
    )  # fmt: skip


@pytest.fixture
async def social(worker_db: Database, workspace: Workspace) -> Workspace:
    """The workspace, in Türkiye, with WhatsApp at Meta and Messenger at a server of the operator's."""
    async with worker_db.batch() as connection:
        await connection.execute(
            'update santral.workspace set settings = settings || \'{"region": "TR"}\' where workspace_id = $1', workspace.id
        )
        for provider, url in (("whatsapp", ""), ("messenger", "https://graph.intern:8443/v23.0"), ("gone", "")):
            shared = new_id()
            await connection.execute(
                "insert into santral.connection (workspace_id, id, name, provider, path_token, settings)"
                " values ($1, $2, $3, 'meta', $3, $4)",
                workspace.id, shared, f"meta-{provider}", {"graph_url": url},
            )  # fmt: skip
            await connection.execute(
                "insert into santral.inbox (workspace_id, id, name, channel, provider, connection_id, path_token)"
                " values ($1, $2, $3, 'social', $3, $4, $5)",
                workspace.id, new_id(), provider, shared, str(shared),
            )  # fmt: skip
    return workspace


async def place_of(settings: Settings, workspace: Workspace, db: Database) -> Place:
    async with db.session() as connection:
        name = await connection.fetchval("select name from santral.workspace where id = $1", workspace.id)
    return next(one for one in (await where_data_goes(settings)).workspaces if one.workspace == name)


async def test_each_recipient_is_told_with_its_hosts_and_whether_that_is_abroad(
    database_urls: PostgresUrls, worker_db: Database, social: Workspace
) -> None:
    place = await place_of(settings_for(database_urls), social, worker_db)
    assert (place.region, "6698" in place.rule) == ("TR", True)
    by_inbox = {one.inboxes: one for one in place.recipients}
    whatsapp = by_inbox["whatsapp",]
    assert (whatsapp.countries, whatsapp.abroad, "graph.facebook.com" in whatsapp.hosts) == (("US",), True, True)
    assert whatsapp.source
    assert (by_inbox["messenger",].hosts, by_inbox["messenger",].abroad) == (("graph.intern",), None)
    assert (by_inbox["smtp",].hosts, by_inbox["smtp",].abroad) == (("mail.ornek.com",), None)
    assert by_inbox["gone",].where.startswith("nobody said")
    (classifier,) = [one for one in place.recipients if one.recipient == "classifier"]
    assert classifier.hosts == ("model.ornek.com",)
    assert len(place.recipients) == 5, "the widget, telephone rows and our own posts are sent to nobody"


async def test_a_deployment_on_one_machine_sends_nothing_abroad(
    database_urls: PostgresUrls, worker_db: Database, workspace: Workspace
) -> None:
    settings = settings_for(database_urls, smtp_relay=None, classifier_url="http://127.0.0.1:9/ask")
    place = await place_of(settings, workspace, worker_db)
    assert [(one.recipient, one.where, one.abroad) for one in place.recipients] == [("classifier", HERE, False)]
    told = (await where_data_goes(settings)).deployment
    assert [(one.recipient, one.hosts, one.abroad) for one in told if one.recipient == "Kafka"] == [
        ("Kafka", ("kafka-1.intern",), None), ("Kafka", ("127.0.0.1",), False),
    ]  # fmt: skip
    assert not any("@" in str(one) or "password" in str(one) for one in told), "never an address with its account"


async def test_the_command_tells_it_as_text_and_as_json(database_urls: PostgresUrls, social: Workspace) -> None:
    environment = {
        "SANTRAL_DATABASE_URL": database_urls.api, "SANTRAL_DATABASE_WORKER_URL": database_urls.worker,
        "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": "nobody.invalid:9092", "SANTRAL_SMTP_RELAY": "relay.invalid:25",
    }  # fmt: skip
    status, said = await said_by("doctor", "--where-data-goes", environment=environment)
    assert status == 0, said
    for words in ("relay.invalid", "nobody.invalid", "Meta Platforms (WhatsApp Cloud API)", "abroad: yes", str(AS_OF)):
        assert words in said, said
    status, said = await said_by("doctor", "--where-data-goes", "--json", environment=environment)
    assert status == 0, said
    told = json.loads(said)
    assert told["as_of"] == str(AS_OF)
    assert {"recipient", "hosts", "purpose", "data", "where", "abroad", "source"} <= set(told["workspaces"][0]["recipients"][0])


@pytest.mark.parametrize(
    ("region", "countries", "others", "abroad"),
    [
        ("TR", ("TR",), False, False), ("TR", ("TR", "US"), False, True), ("TR", ("DE",), True, True), ("DE", ("IE", "DK"), False, False),
        ("DE", ("IE",), True, None), ("DE", ("US",), False, True), ("GB", ("IE",), False, True), (None, ("US",), False, None),
        ("TR", (), False, None),
    ],
)  # fmt: skip
def test_what_is_abroad(region: str | None, countries: tuple[str, ...], others: bool, abroad: bool | None) -> None:
    assert is_abroad(region, countries, among_others=others) is abroad


def test_every_channel_of_ours_that_has_a_provider_is_known_with_its_source() -> None:
    reached = {adapter.provider for adapter in OURS if adapter.hosts and adapter.provider != "meta"}
    assert reached == set(KNOWN)
    assert all(known.source and known.countries for known in KNOWN.values())
    assert len(EEA) == 30
