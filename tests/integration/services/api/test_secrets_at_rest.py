"""What somebody presents is nowhere in the database, and a wrong one is answered after the same work whatever is known of it."""

from __future__ import annotations

import base64
import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from services.api.credentials import Kind, _check, new_token
from services.api.principal import Credentials
from services.frame.rates import Rates
from shared.database import Database
from shared.errors import Unauthenticated
from tests.support.api import Api
from tests.support.chat import IDENTITY, good_claims, open_session, signed
from tests.support.workspaces import Workspace

ROOT: Final = Path(__file__).resolve().parents[4]
OURS: Final = tuple(f"{ROOT / room}/" for room in ("services/api", "ingest", "profiles", "router"))
HASHES: Final = {"openssl_sha256", "sha256", "compare_digest", "digest", "hexdigest", "hmac_digest", "update"}
TABLES: Final = "select table_name from information_schema.tables where table_schema = 'santral' and table_type = 'BASE TABLE'"
POSTED: Final = "a signing secret that somebody chose"


async def dump(db: Database) -> dict[str, str]:
    """Every table as text, each column of each row; bytes as hexadecimal digits."""
    async with db.batch() as connection:
        names = [row["table_name"] for row in await connection.fetch(TABLES)]
        found = {}
        for name in names:
            rows = await connection.fetch(f'select row_to_json(x)::text as row from santral."{name}" x')
            found[name] = "\n".join(row["row"] for row in rows)
    return found


def forms(presented: str) -> list[str]:
    """A text as it may stand in a column: itself, its bytes in hexadecimal digits, in Base64."""
    content = presented.encode()
    return [
        presented,
        content.hex(),
        base64.b64encode(content).decode().rstrip("="),
        base64.urlsafe_b64encode(content).decode().rstrip("="),
    ]


async def presented_by(api: Api, workspace: Workspace) -> dict[str, str]:
    """One of each kind of credential, made as its users make it, each of them good."""
    admin = await api.key(workspace.id)

    async def made(path: str, body: Any = None) -> Mapping[str, Any]:
        headers = {**admin, "idempotency-key": f"once {path}"}
        answer = await api.client.post(f"/v1/{path}", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        found: Mapping[str, Any] = answer.json()
        return found

    key = await made("keys", {"name": "shop", "scopes": ["config:read"]})
    agent = await made(f"agents/{workspace.agent_id}/tokens")
    used = await made(f"agents/{workspace.agent_id}/codes")
    code = (await api.client.post(f"/v1/agents/{workspace.agent_id}/codes", headers=admin)).json()
    exchanged = await api.client.post("/v1/sessions/exchange", json={"code": used["code"]})
    inbox = await made("inboxes", {"name": "new", "provider": "api"})
    own = {"name": "own", "provider": "api", "secrets": {"signing_secret": POSTED}}
    await made("inboxes", own)
    meta = {"app_secret": "an app's secret, chosen", "verify_token": "a token to verify", "access_token": "a token to send with"}
    await made("connections", {"name": "meta", "provider": "meta", "secrets": meta})
    widget = await made("inboxes", {"name": "webchat2", "provider": "webchat", "secrets": {"identity_secret": IDENTITY}})
    identity = signed(good_claims(aud="webchat2"))
    anonymous, customer = [await open_session(api, widget["widget_token"], **body) for body in ({}, {"identity": identity})]
    for token in (key["token"], agent["token"], exchanged.json()["token"]):
        assert (await api.client.get("/v1/queues", headers={"authorization": f"Bearer {token}"})).status_code in (200, 403)
    tokens = {
        "key": key["token"], "agent": agent["token"], "code": code["code"], "used code": used["code"], "exchanged": exchanged.json()["token"],
        "anonymous": anonymous["token"], "customer": customer["token"],
    }  # fmt: skip
    # The check at a token's end follows from the rest, so the secret alone would do.
    bare = {f"the secret of {name}": token.rpartition("_")[2][:-6] for name, token in tokens.items()}
    return {
        **tokens, **bare, "identity": identity, "identity secret": IDENTITY, "made secret": inbox["secrets_made"]["signing_secret"],
        "chosen secret": POSTED, **meta,
    }  # fmt: skip


async def test_a_dump_of_all_tables_holds_nothing_that_opens_anything(api: Api, workspace: Workspace, worker_db: Database) -> None:
    presented = await presented_by(api, workspace)
    tables = await dump(worker_db)
    assert tables["api_key"]
    assert tables["session"]
    there = {
        (name, table)
        for name, text in presented.items()
        for table, rows in tables.items()
        if any(form in rows for form in forms(text))
    }
    assert there == set()


async def test_what_a_dump_holds_is_no_token(api: Api, workspace: Workspace, worker_db: Database) -> None:
    """The id and the hash that stand there, put together as a token, prove nothing."""
    await presented_by(api, workspace)
    async with worker_db.batch() as connection:
        keys = await connection.fetch("select public_id, secret_hash from santral.api_key")
    for row in keys:
        for secret in (row["secret_hash"].hex()[:43], base64.b64encode(row["secret_hash"]).decode()[:43]):
            body = f"santral_live_{row['public_id']}_{secret}"
            answer = await api.client.get("/v1/queues", headers={"authorization": f"Bearer {body}{_check(body)}"})
            assert answer.status_code == 401


class Work:
    """What was done while it was watched: our functions in their order, and what was hashed and compared.

    A coroutine counts when it begins: how often it has to wait is the network's.
    """

    def __init__(self) -> None:
        self.done: list[str] = []
        self._begun: set[FrameType] = set()

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and argument.__name__.removeprefix("_") in HASHES and frame.f_code.co_filename.startswith(OURS):
            self.done.append(argument.__name__)
        elif event == "call" and frame not in self._begun and frame.f_code.co_filename.startswith(OURS):
            self._begun.add(frame)
            self.done.append(frame.f_code.co_qualname)


@contextlib.contextmanager
def watched() -> Iterator[Work]:
    work, before = Work(), sys.getprofile()
    sys.setprofile(work.note)
    try:
        yield work
    finally:
        sys.setprofile(before)


class Asked:
    """A database that notes what it is asked."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.statements: list[str] = []

    @contextlib.asynccontextmanager
    async def session(self) -> Any:
        async with self._db.session() as connection:
            yield _Noting(connection, self.statements)


class _Noting:
    def __init__(self, connection: Any, statements: list[str]) -> None:
        self._connection, self._statements = connection, statements

    async def fetchrow(self, statement: str, *values: Any) -> Any:
        self._statements.append(statement)
        return await self._connection.fetchrow(statement, *values)


def with_another_secret(token: str) -> str:
    """The same id with a secret that is not its own, well-formed."""
    body = f"{token.rpartition('_')[0]}_{new_token('live').text.rpartition('_')[2][:-6]}"
    return body + _check(body)


async def wrong_tokens(api: Api, db: Database, workspace: Workspace, kind: Kind) -> dict[str, str]:
    """Tokens that prove nothing, each for another reason."""

    async def made() -> str:
        if kind == "live":
            return (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
        return await api.session(workspace.id, kind, agent_id=workspace.agent_id)

    good, revoked, expired = [await made() for _ in range(3)]
    table = "api_key" if kind == "live" else "session"
    async with db.batch() as connection:
        for token, change in ((revoked, "revoked_at = now()"), (expired, "expires_at = now() - interval '1 second'")):
            await connection.execute(f"update santral.{table} set {change} where public_id = $1", token.split("_")[2])
    return {"unknown": new_token(kind).text, "wrong": with_another_secret(good), "revoked": revoked, "expired": expired}


async def test_a_wrong_key_costs_the_same_work_whatever_is_wrong_with_it(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    """Unknown, known with another secret, revoked, expired: the same statements, the same hashes, the same words. No clock tells this apart."""
    kinds: tuple[Kind, ...] = ("live", "agent")
    for kind in kinds:
        done: dict[str, tuple[list[str], list[str], str]] = {}
        for name, token in (await wrong_tokens(api, worker_db, workspace, kind)).items():
            asked: Any = Asked(api.db)
            credentials = Credentials(asked, Rates())
            with watched() as work:
                said = ""
                try:
                    await credentials.principal(token, peer="192.0.2.1")
                except Unauthenticated as error:
                    said = str(error)
            done[name] = (asked.statements, work.done, said)
        statements, steps, said = done["wrong"]
        assert len(statements) == 1
        assert "compare_digest" in " ".join(steps)
        assert "sha256" in " ".join(steps)
        assert said
        assert all(one == done["wrong"] for one in done.values()), {name: one for name, one in done.items() if one != done["wrong"]}


async def test_a_chat_tells_nobody_who_is_a_customer(api: Api, workspace: Workspace, worker_db: Database) -> None:
    """A forged word about a customer who is known and one who is not, and a session that is not one's own: the same work and answer."""
    admin = await api.key(workspace.id)
    body = {"name": "chat2", "provider": "webchat", "secrets": {"identity_secret": IDENTITY}}
    widget = (await api.client.post("/v1/inboxes", json=body, headers=admin)).json()["widget_token"]
    known = await open_session(api, widget, identity=signed(good_claims(aud="chat2", sub="customer-7")))
    ended = await open_session(api, widget)
    path = f"/v1/chat/{widget}/sessions"
    await api.client.delete(f"{path}/me", headers={"authorization": f"Bearer {ended['token']}"})

    async def work_of(**given: Any) -> tuple[list[str], int, dict[str, Any]]:
        with watched() as work:
            answer = await api.client.post(path, json=given)
        shown = {
            name: value for name, value in answer.json().items() if name not in ("request_id", "token", "visitor_id", "expires_at")
        }
        return work.done, answer.status_code, shown

    another = "another secret, of enough characters too"
    forged = [await work_of(identity=signed(good_claims(aud="chat2", sub=sub), another)) for sub in ("customer-7", "customer-8")]
    assert forged[0][1] == 401
    assert forged[0] == forged[1]
    previous = [with_another_secret(known["token"]), new_token("visitor").text, ended["token"]]
    begun = [await work_of(previous=token) for token in previous]
    assert (begun[0][1], begun[0][2]["continues"]) == (201, False)
    assert "compare_digest" in " ".join(begun[0][0])
    assert begun[0] == begun[1] == begun[2]
