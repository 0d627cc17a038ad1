"""A running deployment survives an upgrade: from 0.1.0 by stop, migrate, start; from then on one process after the other, under posts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.api.workspaces import make_workspace
from services.client.apply import apply_file
from services.client.workspace_file import read_workspace_file
from services.demo.sink import Sink
from services.schema.migrations import HEAD
from services.supervisor.demo import WORKSPACE_FILE, sign_in
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.kafka import partition_of
from shared.topics import Topics
from tests.support.chaos_proxy import ChaosProxy
from tests.support.deployment import NAMES, Deployment, Name, Running, deployment, free_ports
from tests.support.desks import desk_client
from tests.support.effects import connect, drained, effects, require_invariants
from tests.support.house import metric
from tests.support.load import Load, Sent, open_load
from tests.support.log_reader import read_topic
from tests.support.releases import NEXT_HEAD, TODAY, Release, first_release, next_release
from tests.support.servers import PostgresServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)
ABROAD = "zeynep@faß.example"
REPLY = "Kargonuz yola çıktı."
WORKSPACE = """
inboxes: [{name: api, provider: api}, {name: mail, provider: smtp, address: destek@ornek.example}]
queues: [{name: general, title: Genel, mode: both}]
agents: [{name: Deniz, languages: [tr], queues: [{queue: general}]}]
policy: {rules: [], default_queue: general}
"""
_ASK_S = 0.2


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened under the old release and is to be found under the new one."""

    processes: dict[Name, Running]
    load: Load
    agent: dict[str, str]
    mail_conversation: UUID
    chat_conversation: str = ""
    abroad: str = ""
    reply_id: str = ""
    states: set[str] = field(default_factory=set)


async def acknowledged(load: Load, **more: int) -> None:
    """Returns when each of these entrances acknowledged that many more."""
    wanted = Counter(one.entrance for one in load.acknowledged) + Counter(more)

    async def enough() -> bool:
        return Counter(one.entrance for one in load.acknowledged) >= wanted

    await eventually(enough, 40, f"{more} more acknowledgements")


async def followed(load: Load) -> None:
    """Returns when no sender waits any more for an answer from where it wrote before."""
    wanted = Counter(one.sender for one in load.acknowledged)
    wanted.update(dict.fromkeys(wanted, 2))

    async def all_of_them() -> bool:
        return Counter(one.sender for one in load.acknowledged) >= wanted

    await eventually(all_of_them, 40, "every sender has two more acknowledgements")


async def asked(url: str, statement: str, *values: object) -> object:
    """One value of the database."""
    connection = await connect(url)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


async def started(there: Deployment, release: Release, **settings: dict[str, str]) -> dict[Name, Running]:
    """All four of a release, each with settings of its own."""
    running = await asyncio.gather(*(there.start(release, name, **settings.get(name, {})) for name in NAMES))
    return {one.name: one for one in running}


def facts_of(processes: dict[Name, Running], api_key: str) -> dict[str, str]:
    return {
        "http": processes["api"].url, "webhooks": processes["gateway"].url, "api_key": api_key,
        "smtp": f"127.0.0.1:{processes['gateway'].ports['SMTP']}",
    }  # fmt: skip


def follow(load: Load, facts: dict[str, str]) -> None:
    """Lets the senders write to these doors from now on."""
    load.http, load.smtp = facts["http"], facts["smtp"]
    load.hook_url = facts["webhooks"] + load.hook_url[load.hook_url.index("/in/") :]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Release 0.1.0, installed from its wheel."""
    return first_release(tmp_path_factory.mktemp("first"))


@pytest.fixture
async def empty(postgres: PostgresServer) -> AsyncIterator[PostgresUrls]:
    """A database that nobody has migrated."""
    name = f"test_{uuid4().hex[:12]}"
    yield await postgres.create_database(name)
    await postgres.drop_database(name)


@pytest.fixture
async def line(kafka: str) -> AsyncIterator[ChaosProxy]:
    """The gateway's way to the broker, which can be cut."""
    host, _, port = kafka.rpartition(":")
    async with ChaosProxy(host, int(port), kafka=True) as proxy:
        yield proxy


async def begun(there: Deployment, release: Release, gateway: dict[str, str]) -> Story:
    """The old release at work: migrated, a workspace applied, an agent who answers mail and has a chat offered; more waits."""
    assert await there.run(release, "migrate") == (0, "database schema is at 0003")
    (status, said), processes = await asyncio.gather(
        there.run(release, "init", "--name", "kahve", "--json"), started(there, release, gateway=gateway)
    )
    assert status == 0, said
    key = json.loads(said)["api_key"]
    facts = facts_of(processes, key)
    status, said = await there.run(release, "apply", str(WORKSPACE_FILE), API_URL=facts["http"], API_KEY=key)
    assert status == 0, said
    load = await open_load(facts)
    load.inbox = await load.chat_inbox()
    agent = next(one for one in await sign_in(url=facts["http"], api_key=key, progress=print) if one.name == "Deniz")
    sender = f"mail-first-{load.run}@load.example"
    await load.deliver("mail", sender, 0)
    await drained(there.urls.owner, load, 40)
    found = await asked(
        there.urls.owner,
        "select conversation_id from santral.message where external_id like $1",
        f"{load.acknowledged[0].external_id}%",
    )
    assert isinstance(found, UUID)
    story = Story(processes=processes, load=load, agent={"name": agent.name, "token": agent.token}, mail_conversation=found)
    async with desk_client(facts["http"], story.agent) as desk:
        await is_online(desk)
        await item_of(desk, found)
        async with load.flowing(senders={"api": 6, "hook": 2}, pause_s=0.1):
            await acknowledged(load, api=10, hook=4)
        story.chat_conversation = await one_accepted(desk)
        story.abroad = await identified(load)
        await item_of(desk, story.chat_conversation)
    return story


async def is_online(desk: httpx.AsyncClient) -> None:
    (await desk.put("/v1/agents/me/presence", json={"presence": "online"})).raise_for_status()


async def item_of(desk: httpx.AsyncClient, conversation: UUID | str) -> dict[str, str]:
    """The agent's item of a conversation, once it is theirs."""

    async def theirs() -> dict[str, str] | None:
        items = (await desk.get("/v1/agents/me/desk")).raise_for_status().json()["items"]
        return next((one for one in items if one["conversation_id"] == str(conversation) and one["state"] == "assigned"), None)

    return await eventually(theirs, 30, "the conversation is with the agent")


async def one_accepted(desk: httpx.AsyncClient) -> str:
    """Of two chats that are offered one is accepted, the other stays an offer; the conversation of the one."""

    async def offered() -> list[dict[str, Any]]:
        offers: list[dict[str, Any]] = (await desk.get("/v1/agents/me/desk")).raise_for_status().json()["offers"]
        return offers if len(offers) >= 2 else []

    taken = (await eventually(offered, 30, "two chats are offered"))[0]
    (await desk.post(f"/v1/offers/{taken['offer']['id']}/accept")).raise_for_status()
    return str(taken["conversation_id"])


async def identified(load: Load) -> str:
    """A customer at a domain that 0.1.0 took for another owner's; their profile."""
    body = {"handles": [{"kind": "email", "value": ABROAD}], "source": "crm"}
    async with httpx.AsyncClient(trust_env=False, timeout=15, headers=load.headers) as client:
        answer = (await client.post(f"{load.http}/v1/profiles/identify", json=body)).raise_for_status().json()
    return str(answer["profile_id"])


async def known_by_the_present_name(load: Load, profile_id: str) -> None:
    """Whose handle an earlier release named otherwise is found again, and the owner of the other domain is nobody of them."""

    async def looked_up(value: str) -> list[str]:
        body = {"handles": [{"kind": "email", "value": value}]}
        async with httpx.AsyncClient(trust_env=False, timeout=15, headers=load.headers) as client:
            answer = (await client.post(f"{load.http}/v1/profiles/lookup", json=body)).raise_for_status().json()
        return [str(one["profile_id"]) for one in answer["items"] if one.get("profile_id")]

    async def found() -> bool:
        return await looked_up(ABROAD) == [profile_id]

    await eventually(found, 60, "the walk over handles gave the customer their present name")
    assert await looked_up(ABROAD.replace("ß", "ss")) == []


async def left_behind(there: Deployment, story: Story, line: ChaosProxy) -> None:
    """The old release stops in the worst order: a reply on its way, events unpublished, a backlog on the topic, frames in the spool."""
    await there.stop(story.processes["courier"])
    async with desk_client(story.processes["api"].url, story.agent) as desk:
        reply = {"content": {"kind": "text", "text": REPLY}}
        answer = await desk.post(f"/v1/conversations/{story.mail_conversation}/replies", json=reply)
        story.reply_id = answer.raise_for_status().json()["id"]
    await there.stop(story.processes["router"])
    load, gateway = story.load, story.processes["gateway"]
    async with load.flowing(senders={"api": 2, "hook": 2, "mail": 1}, pause_s=0.05):
        await acknowledged(load, api=6, hook=6, mail=2)
        await line.set("rst")
        await acknowledged(load, api=6, hook=12, mail=2)
    assert await metric(gateway.health, "santral_spool_records") >= 5
    await there.stop(gateway)
    rows = "select array_agg(distinct state) from santral.work_item"
    states = await asked(there.urls.owner, rows)
    assert isinstance(states, list)
    story.states = set(states)


async def forgotten(there: Deployment, api: Running) -> None:
    """What becomes of a process of 0.1.0 that nobody stopped: it says that it is not ready, so it gets no traffic."""
    sentence = f"database: the schema is at {HEAD}, this release needs 0003 (run: santral migrate)"
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        assert await api.readiness(client) == (503, {"status": "fail", "failed": {"database": sentence}})
    await there.stop(api)


async def everything_is_there(there: Deployment, story: Story, gateway: Running) -> None:
    """Each acknowledged message is one routed message, in its order; nothing is left in the spool or in quarantine."""
    url, load = there.urls.owner, story.load
    recovered_s = await drained(url, load, 60)
    found = await effects(url, load)
    print(found.line("from 0.1.0", zero_lag_after_s=recovered_s))
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    assert await metric(gateway.health, "santral_spool_records") == 0
    assert await asked(url, "select count(*) from santral.quarantine") == 0
    inbound = await asked(url, "select count(*) from santral.message where direction = 'in'")
    assert inbound == len(load.acknowledged)


async def under_both_kinds_of_keys(kafka: str, topics: Topics) -> None:
    """0.1.0's keys are 16 octets, today's their hexadecimal digits, also for what it spooled; both name the same partition."""
    found = [(one.partition, one.key or b"") for one in await read_topic(kafka, topics.messages)]
    octets = [(partition, key if len(key) == 16 else bytes.fromhex(key.decode())) for partition, key in found]
    assert {len(key) for _, key in found} == {16, 32}
    assert [partition for partition, _ in octets] == [partition_of(key) for _, key in octets]


async def the_reply_went_out(there: Deployment, story: Story, mails: Path) -> None:
    async def sent() -> bool:
        state = await asked(there.urls.owner, "select state from santral.delivery where message_id::text = $1", story.reply_id)
        return state == "sent"

    await eventually(sent, 30, "the reply is sent")
    texts = [json.loads(one)["text"] for one in mails.read_text(encoding="utf-8").splitlines()]
    assert [REPLY in text for text in texts] == [True]


async def redelivered(there: Deployment, load: Load) -> None:
    """Providers send again what 0.1.0 had acknowledged: the same ids are answered, and nothing is there twice."""
    url = there.urls.owner
    again: list[Sent] = []
    for entrance in ("api", "hook", "mail"):
        taken = [one for one in load.acknowledged if one.entrance == entrance]
        again += [taken[0], taken[-1]]
    for one in again:
        known = await asked(url, "select id::text from santral.message where split_part(external_id, ':', 1) = $1", one.external_id)
        assert await load.redeliver(one) == ("" if one.entrance == "mail" else known), one
        # Its sender's next message is behind it on the same partition: once that is routed, the other was looked at.
        await load.deliver(one.entrance, one.sender, one.number + 1000)


async def test_from_the_first_release_by_stop_migrate_start(
    first: Release, empty: PostgresUrls, kafka: str, topics: Topics, line: ChaosProxy, tmp_path: Path
) -> None:
    spool = {"KAFKA_BOOTSTRAP_SERVERS": line.address, "SPOOL_DIR": str(tmp_path / "spool")}
    (relay,) = free_ports(1)
    async with contextlib.AsyncExitStack() as stack:
        there = await stack.enter_async_context(deployment(empty, kafka, topics, tmp_path))
        story = await begun(there, first, spool)
        stack.push_async_callback(story.load.close)
        await left_behind(there, story, line)
        assert story.states >= {"queued", "offered", "assigned"}
        assert await there.run(TODAY, "migrate") == (0, f"database schema is at {HEAD}")
        await forgotten(there, story.processes["api"])
        await line.set("ok")
        sink = await Sink(tmp_path / "mails.jsonl").listen("127.0.0.1", relay)
        stack.callback(sink.close)
        processes = await started(there, TODAY, gateway=spool, courier={"SMTP_RELAY": f"127.0.0.1:{relay}"})
        follow(story.load, facts_of(processes, ""))
        await everything_is_there(there, story, processes["gateway"])
        await the_reply_went_out(there, story, tmp_path / "mails.jsonl")
        await known_by_the_present_name(story.load, story.abroad)
        async with desk_client(processes["api"].url, story.agent) as desk:
            item = await item_of(desk, story.chat_conversation)
            (await desk.post(f"/v1/items/{item['id']}/done")).raise_for_status()
        await redelivered(there, story.load)
        await everything_is_there(there, story, processes["gateway"])
        await under_both_kinds_of_keys(kafka, topics)
        await require_invariants(empty.owner)


@dataclass(slots=True, kw_only=True)
class Watch:
    """Asks every running process for its readiness, and the API for events, again and again.

    ``refused`` is what they said of the schema, ``read`` the API's answers by status: its statement returns all columns of a table
    that grows.
    """

    there: Deployment
    load: Load
    read: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    ready: Counter[int] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Asks while the block runs."""
        asking = asyncio.create_task(self._ask())
        try:
            yield
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    async def _ask(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
            while True:
                for one in list(self.there.running):
                    status, body = await one.readiness(client)
                    self.ready[one.process.pid] += status == 200
                    said = str((body or {}).get("failed", {}).get("database", ""))
                    if "schema" in said:
                        self.refused.append(f"{one.name}: {said}")
                self.read[await self._read(client)] += 1
                await asyncio.sleep(_ASK_S)

    async def _read(self, client: httpx.AsyncClient) -> int:
        try:
            answer = await client.get(f"{self.load.http}/v1/events?limit=1", headers=self.load.headers)
        except httpx.HTTPError:
            return 0
        return answer.status_code

    async def all_ready(self) -> None:
        """Returns when each process said once more that it is ready."""
        before = Counter({one.process.pid: self.ready[one.process.pid] for one in self.there.running})

        async def said() -> bool:
            return all(self.ready[one.process.pid] > before[one.process.pid] for one in self.there.running)

        await eventually(said, 20, f"every process is ready ({self.refused[-4:]})")


async def opened(there: Deployment, worker_db: Database, spool: Path) -> tuple[dict[Name, Running], Load]:
    """This release at work: a small workspace, its agent online."""
    key = (await make_workspace(worker_db, name="kahve")).key
    processes = await started(there, TODAY, gateway={"SPOOL_DIR": str(spool)})
    facts = facts_of(processes, key)
    file = there.folder / "workspace.yaml"
    file.write_text(WORKSPACE, encoding="utf-8")
    await apply_file(read_workspace_file(file), url=facts["http"], api_key=key)
    for agent in await sign_in(url=facts["http"], api_key=key, progress=print):
        async with desk_client(facts["http"], {"token": agent.token}) as desk:
            await is_online(desk)
    return processes, await open_load(facts)


async def spool_empty(gateway: Running) -> None:
    """Returns when nothing is left in the gateway's spool, which nobody takes over here."""

    async def empty() -> bool:
        return await metric(gateway.health, "santral_spool_records") == 0

    await eventually(empty, 20, "the spool is empty")


async def replaced(
    there: Deployment, release: Release, processes: dict[Name, Running], load: Load, watch: Watch, spool: Path
) -> None:
    """Each process by the release's own: the new one beside the old, the senders follow, then the old one is stopped."""
    for name in NAMES:
        old = processes[name]
        processes[name] = await there.start(release, name, **({"SPOOL_DIR": str(spool)} if name == "gateway" else {}))
        follow(load, facts_of(processes, ""))
        await followed(load)
        if name == "gateway":
            await spool_empty(old)
        await there.stop(old)
        await watch.all_ready()


async def test_the_next_release_one_process_after_the_other_under_posts(
    database_urls: PostgresUrls, worker_db: Database, kafka: str, topics: Topics, tmp_path: Path
) -> None:
    following = next_release(tmp_path / "next")
    url = database_urls.owner
    async with contextlib.AsyncExitStack() as stack:
        there = await stack.enter_async_context(deployment(database_urls, kafka, topics, tmp_path))
        processes, load = await opened(there, worker_db, tmp_path / "spool")
        stack.push_async_callback(load.close)
        everyone = list(processes.values())
        watch = Watch(there=there, load=load)
        async with load.flowing(senders={"api": 2, "hook": 2}, pause_s=0.15), watch.watching():
            await acknowledged(load, api=6, hook=6)
            assert await there.run(following, "migrate") == (0, f"database schema is at {NEXT_HEAD}")
            await watch.all_ready()
            left = f"database schema is at {NEXT_HEAD}, newer than this release's {HEAD}, and stays as it is"
            again, _ = await asyncio.gather(there.run(TODAY, "migrate"), acknowledged(load, api=12, hook=12))
            assert again == (0, left)
            await replaced(there, following, processes, load, watch, tmp_path / "spool-next")
        everyone += processes.values()
        await drained(url, load, 60)
        found = await effects(url, load)
        print(
            found.line(
                "one after the other",
                asked=watch.ready.total(),
                refused_by_the_api=load.answers["api", 503],
                reads_told_to_come_again=watch.read[503],
            )
        )
    assert watch.refused == []
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    assert set(load.answers) <= {("api", 202), ("api", 503), ("hook", 200)}, load.answers
    # A read that was prepared before a table grew is told once to come again; never that something went wrong.
    assert set(watch.read) <= {200, 503}, watch.read
    assert [line for one in everyone for line in one.said if "a worker failed" in line] == []
    assert await asked(url, "select count(*) from santral.quarantine") == 0
    assert await asked(url, "select count(*) from santral.message where direction = 'in'") == len(load.acknowledged)
    await require_invariants(url)
