"""`santral doctor` as an operator keeps its witness and compares it later. Kafka is away, which is another line's concern."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from services.chores.audit_links import batch_of_all
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.topics import Topics
from tests.support.serving import said_by, santral
from tests.support.waiting import eventually


async def chain_of(urls: PostgresUrls, words: Sequence[str] = ()) -> tuple[str, str]:
    """State and text of the line about the one chain there is."""
    environment = {
        "SANTRAL_DATABASE_URL": urls.api, "SANTRAL_DATABASE_WORKER_URL": urls.worker, "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    }  # fmt: skip
    _, said = await said_by("doctor", "--json", *words, environment=environment)
    ((state, text),) = [(one["state"], one["text"]) for one in json.loads(said) if one["check"] == "audit chain"]
    return state, text


async def test_a_witness_is_said_and_compared(database_urls: PostgresUrls, worker_db: Database) -> None:
    status, said = await said_by("init", "--name", "acme:1", environment={"SANTRAL_DATABASE_WORKER_URL": database_urls.worker})
    assert status == 0, said
    assert await batch_of_all(worker_db) == 1
    state, text = await chain_of(database_urls)
    words, _, witness = text.partition("witness ")
    assert (state, words) == ("OK", "acme:1: 1 links in order, ")
    assert await chain_of(database_urls, ["--audit-witness", witness]) == (state, text)
    other = witness[:-1] + ("0" if witness[-1] != "0" else "1")
    state, text = await chain_of(database_urls, ["--audit-witness", other])
    assert (state, "link 1 is not what the witness knows" in text) == ("FAIL", True)
    status, said = await said_by("doctor", "--audit-witness", "acme:1")
    assert (status, "--audit-witness: 'acme:1' is no witness" in said) == (1, True)


async def test_two_couriers_link_what_was_written_and_doctor_finds_it_in_order(
    kafka: str, topics: Topics, database_urls: PostgresUrls, worker_db: Database, tmp_path: Path
) -> None:
    environment = {
        "SANTRAL_DATABASE_URL": database_urls.api, "SANTRAL_DATABASE_WORKER_URL": database_urls.worker, "SANTRAL_SECRET": "s" * 32,
        "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": kafka, "SANTRAL_TOPIC_PREFIX": topics.messages.removesuffix(".messages.v1"),
        "SANTRAL_BLOB_DIR": str(tmp_path), "SANTRAL_COURIER_HEALTH_PORT": "0",
    }  # fmt: skip
    status, said = await said_by("init", "--name", "acme", environment=environment)
    assert status == 0, said
    couriers = [await santral("courier", environment=environment) for _ in range(2)]
    try:
        await eventually(lambda: linked(worker_db, 1), 60, "the first key's row is linked")
        for _ in range(2):
            status, said = await said_by("init", "--name", "acme", "--new-key", environment=environment)
            assert status == 0, said
        await eventually(lambda: linked(worker_db, 3), 60, "the rows of two more keys are linked")
        state, text = await chain_of(database_urls)
        assert (state, text.partition(", witness")[0]) == ("OK", "acme: 3 links in order")
    finally:
        for courier in couriers:
            courier.terminate()
        ended = [await courier.communicate() for courier in couriers]
    assert [courier.returncode for courier in couriers] == [0, 0], ended


async def linked(db: Database, number: int) -> bool:
    async with db.session() as connection:
        return bool(await connection.fetchval("select count(*) = $1 from santral.audit_link", number))
