"""What doctor says of a real PostgreSQL and a real Kafka: in order, behind, cut off, away, of another cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.doctor.doctor import examine, settings_of_folder
from services.doctor.finding import Finding
from services.doctor.marked_mail import look_at_marked_mail
from services.frame.settings import Settings
from services.schema.migrations import HEAD, NEEDS
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import InputRejected, NotFound
from shared.handle_forms import NORMALIZATION
from shared.kafka import KafkaSettings, Publisher, Record
from shared.message import Automatic
from shared.topics import Topics
from tests.support.schema import say_revision
from tests.support.shift import Shift
from tests.support.workspaces import Workspace

SECRET = "a secret of thirty-two characters!"


def settings_for(urls: PostgresUrls, kafka: str, topics: Topics) -> Settings:
    return Settings.model_validate(
        {
            "database_url": urls.api, "database_worker_url": urls.worker, "database_owner_url": urls.owner,
            "kafka_bootstrap_servers": kafka, "topic_prefix": topics.messages.partition(".")[0], "secret": SECRET,
            "public_url": "http://127.0.0.1:9", "api_health_port": 9,
        }
    )  # fmt: skip


FORGETFUL = "fsync is off: a power cut loses what was acknowledged"


def of(found: list[Finding], check: str) -> list[tuple[str, str]]:
    """States and texts of a check, without what the run's own server is blamed for: it need not outlive the machine."""
    return [(one.state, one.text) for one in found if one.check == check and one.text != FORGETFUL]


async def test_a_deployment_whose_servers_are_in_order(
    database_urls: PostgresUrls, kafka: str, topics: Topics, worker_db: Database
) -> None:
    found = await examine(settings_for(database_urls, kafka, topics))
    async with worker_db.session() as connection:
        durable = await connection.fetchval("show fsync") == "on"
    assert any(one.text == FORGETFUL and one.state == "FAIL" for one in found) is not durable
    for role in ("api", "worker", "owner"):
        ((state, text),) = of(found, f"database ({role})")
        assert state == "OK"
        assert f"answers as santral_{role}" in text
    for check in ("secret", "clock", "kafka", f"topic {topics.messages}", f"topic {topics.events}"):
        assert [state for state, _ in of(found, check)] == ["OK"], check
    assert of(found, "intake") == [("OK", "nothing waits")]
    assert of(found, "outbox") == [("OK", "empty")]
    assert of(found, "quarantine") == [("OK", "nothing is open")]
    assert of(found, "replies") == [("OK", "0 on their way")]
    for process in ("gateway", "router", "api", "courier"):
        assert [state for state, _ in of(found, process)] == ["FAIL"]


async def test_what_waits_is_counted(
    database_urls: PostgresUrls, worker_db: Database, kafka: str, topics: Topics, workspace: Workspace
) -> None:
    publisher = Publisher(KafkaSettings(bootstrap=kafka), deadline_s=20)
    try:
        await publisher.publish(topics.messages, [Record(key=b"one", value=b"1"), Record(key=b"one", value=b"2")])
    finally:
        await publisher.stop()
    async with worker_db.batch() as connection:
        name = await connection.fetchval("select name from santral.workspace where id = $1", workspace.id)
        await connection.execute(
            "insert into santral.event (workspace_id, id, type, at) values ($1, $1, 'x', now() - interval '5 min')", workspace.id
        )
        await connection.execute("insert into santral.outbox (workspace_id, event_id, bucket) values ($1, $1, 0)", workspace.id)
        await connection.execute(
            "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at)"
            " values ($1, $2, $2, 'unparsed', '', now())",
            workspace.id, uuid4(),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.host (id, process, machine, pid, version, health_url) values ($1, 'router', 'elsewhere', 7, '0', $2)",
            uuid4(), "http://127.0.0.1:9",
        )  # fmt: skip
        await connection.execute(
            "insert into santral.handle_renewal (workspace_id, normalization, state, looked, renewed, clashed, findings)"
            " values ($1, $2, 'done', 9, 1, 2, $3)",
            workspace.id, NORMALIZATION,
            [{"what": "renewed", "handle": "h1", "other": "h2"}, {"what": "clash", "handle": "h3", "other": "h4"}],
        )  # fmt: skip
        await connection.execute(
            "update santral.inbox set settings = '{\"extensions\": \"(\"}' where workspace_id = $1 and provider = 'asterisk'",
            workspace.id,
        )
    found = await examine(settings_for(database_urls, kafka, topics))
    ((state, text),) = of(found, "settings")
    assert (state, "settings.extensions cannot be used: not a pattern" in text) == ("WARN", True), text
    (renewed, clashed) = of(found, "handles")
    assert renewed == ("OK", f"{name}: 1 have their present name beside the one of an earlier release: h1")
    assert clashed == ("WARN", f"{name}: 2 have a present name that is somebody else's: h3 …")
    ((state, text),) = of(found, "intake")
    assert state == "OK"
    assert text.startswith("2 records behind in 1 partitions, the oldest ")
    ((state, text),) = of(found, "outbox")
    assert state == "FAIL"
    assert text.startswith("2 events, the oldest for 30")  # the agent's presence is the other
    ((state, text),) = of(found, "quarantine")
    assert state == "WARN"
    assert text.startswith("1 open: unparsed")
    ((state, text),) = of(found, "router")
    assert state == "WARN"
    assert "does not answer" in text


async def test_a_foreign_cluster_a_missing_topic_and_a_wrong_schema(
    database_urls: PostgresUrls, worker_db: Database, kafka: str, topics: Topics
) -> None:
    settings = settings_for(database_urls, kafka, topics)
    found = await examine(settings.model_copy(update={"topic_prefix": "nobody-made-this"}))
    assert of(found, "topic nobody-made-this.messages.v1") == [("FAIL", "missing")]
    async with worker_db.batch() as connection:
        await connection.execute("update santral.deployment set kafka_cluster_id = 'another'")
    found = await examine(settings)
    ((state, text),) = of(found, "kafka")
    assert state == "FAIL"
    assert "another" in text


@pytest.mark.parametrize(
    ("revision", "oldest_head", "state", "said", "remedy"),
    [
        *(
            [(NEEDS, HEAD, "WARN", f"at {NEEDS}, where this release would bring it to {HEAD}", "run: santral migrate")]
            if NEEDS < HEAD
            else []
        ),
        (
            "9999",
            HEAD,
            "WARN",
            f"at 9999, brought there by a newer release; this one knows {HEAD} and may go on running",
            "replace the",
        ),
    ],
)
async def test_a_schema_between_two_releases_is_told_once_with_what_to_do(
    database_urls: PostgresUrls, kafka: str, topics: Topics, revision: str, oldest_head: str, state: str, said: str, remedy: str
) -> None:
    await say_revision(database_urls.owner, revision, oldest_head)
    found = await examine(settings_for(database_urls, kafka, topics))
    assert of(found, "schema") == [(state, said)]
    assert next(one.remedy for one in found if one.check == "schema").startswith(remedy)
    assert [state for state, _ in of(found, "database (worker)")] == ["OK"]


@pytest.mark.parametrize(("revision", "remedy"), [("0001", "run: santral migrate"), ("9999", "start the release that migrated it")])
async def test_a_schema_of_another_release_fails_with_what_to_do(
    database_urls: PostgresUrls, kafka: str, topics: Topics, revision: str, remedy: str
) -> None:
    await say_revision(database_urls.owner, revision, revision)
    found = await examine(settings_for(database_urls, kafka, topics))
    for role in ("api", "worker", "owner"):
        ((state, text),) = of(found, f"database ({role})")
        assert state == "FAIL"
        assert f"the schema is at {revision}" in text
        assert HEAD in text
    assert next(one.remedy for one in found if one.check == "database (worker)").startswith(remedy)


async def test_servers_that_are_away(database_urls: PostgresUrls, kafka: str, topics: Topics) -> None:
    settings = settings_for(database_urls, kafka, topics)
    wrong = database_urls.api.replace("santral_api:", "santral_api:not-")
    nowhere = {"kafka_bootstrap_servers": "127.0.0.1:9", "database_url": type(settings.database_url)(wrong)}
    found = await examine(settings.model_copy(update=nowhere))
    ((state, text),) = of(found, "kafka")
    assert (state, "cannot be reached" in text) == ("FAIL", True)
    ((state, text),) = of(found, "database (api)")
    assert (state, "password" in text) == ("FAIL", True)
    assert not of(found, "intake")
    empty = await examine(Settings())
    assert {one.state for one in empty if one.check != "disk"} == {"FAIL"}
    assert all(one.remedy for one in empty if one.state == "FAIL")


def test_a_folder_says_where_everything_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no santral serve is ready"):
        settings_of_folder(tmp_path, Settings())
    facts = {
        "http": "http://127.0.0.1:1234", "kafka": "127.0.0.1:9092", "health": {"api": "http://127.0.0.1:77"},
        "postgres": "postgresql://santral_owner:o@127.0.0.1:5/santral",
    }  # fmt: skip
    (tmp_path / "serve.json").write_text(json.dumps(facts), encoding="utf-8")
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    (tmp_path / "postgres").mkdir()
    passwords = {f"santral_{role}": role[0] for role in ("owner", "api", "worker")}
    (tmp_path / "postgres" / "passwords.json").write_text(json.dumps(passwords), encoding="utf-8")
    settings = settings_of_folder(tmp_path, Settings())
    assert settings.database("worker") == "postgresql://santral_worker:w@127.0.0.1:5/santral"
    assert settings.database("api") == "postgresql://santral_api:a@127.0.0.1:5/santral"
    assert (settings.kafka().bootstrap, settings.api_health_port) == ("127.0.0.1:9092", 77)
    assert settings.deployment_secret() == SECRET.encode()
    own = settings_of_folder(tmp_path, Settings(kafka_bootstrap_servers="kafka.example:9092"))
    assert own.kafka_bootstrap_servers == "kafka.example:9092"
    (tmp_path / "serve.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputRejected, match="cannot be read"):
        settings_of_folder(tmp_path, Settings())


async def test_a_workspace_that_keeps_marked_mail_aside_hears_how_much_and_how_to_switch(shift: Shift) -> None:
    marked, machine = Automatic(kind="bulk", marked_only=True, evidence=("List-Id",)), Automatic(kind="auto_reply")
    for number, (seen, days) in enumerate(((marked, 0), (marked, 1), (marked, 12), (marked, 40), (machine, 0))):
        at = datetime.now(UTC) - timedelta(days=days, seconds=5)
        await shift.writes(provider="smtp", who=f"kisi{number}@ornek.com", automatic=seen, accepted_at=at)
    (found,) = await look_at_marked_mail(shift.db)
    assert found.state == "WARN"
    assert ": 2 in the last 7 days, 3 in 30" in found.text
    assert "marked_mail: work" in found.remedy
    await shift.execute("update santral.workspace set settings = settings || jsonb_build_object('marked_mail', 'work')")
    assert [one.state for one in await look_at_marked_mail(shift.db)] == ["OK"]
