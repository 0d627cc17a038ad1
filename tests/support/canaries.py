"""A person, or secrets, of whom every word is unique in this world: planted somewhere, looked for wherever Santral keeps or says anything."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx

from shared.topics import Topics
from tests.support.counter import Counter
from tests.support.effects import connect
from tests.support.house import environment_of
from tests.support.log_reader import read_topic

TOPICS = Topics.under()
PROCESSES = ("gateway", "router", "api", "courier")
TABLES = """
select table_name from information_schema.tables
where table_schema = 'santral' and table_type = 'BASE TABLE' order by table_name
"""


def _inside_base64(word: bytes) -> list[bytes]:
    """What of a word's Base64 is the same wherever it begins in the bytes around it."""
    found = []
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + word)
        found.append(encoded[(before * 8 + 5) // 6 : (before + len(word)) * 8 // 6])
    return found


@dataclass(slots=True)
class Canaries:
    """A person of whom every word is unique in this world."""

    run: str = field(default_factory=lambda: uuid4().hex[:12])
    number: str = field(default_factory=lambda: f"53{uuid4().int % 10**8:08d}")
    words: dict[str, str] = field(default_factory=dict)

    def word(self, what: str) -> str:
        """The canary of this name, planted from now on."""
        return self.words.setdefault(what, f"kanarya{what}{self.run}")

    @property
    def mail(self) -> str:
        """Their address."""
        return f"{self.word('address')}@ornek.com"

    @property
    def name(self) -> str:
        """Their name."""
        return f"Ayşe {self.word('name').title()}"

    @property
    def planted(self) -> dict[str, bytes]:
        """Every canary in lower case, the telephone number's digits too."""
        return {what: word.encode() for what, word in self.words.items()} | {"number": self.number.encode()}

    def in_(self, content: bytes) -> list[str]:
        """Which of them these bytes hold: as text, as hexadecimal digits, or inside Base64."""
        lowered = content.lower()
        return [
            what
            for what, word in self.planted.items()
            if word in lowered
            or word.hex().encode() in lowered
            or any(form in content for form in _inside_base64(word))
            or any(form in content for form in _inside_base64(word.title()))
        ]


async def places(counter: Counter, person: Canaries) -> dict[str, list[str]]:
    """Where canaries are: rows, files, events, log lines, metrics, health. The messages topic is left out: it ends by itself."""
    found: dict[str, set[str]] = {}

    def look(place: str, content: bytes) -> None:
        if seen := person.in_(content):
            found.setdefault(place, set()).update(seen)

    connection = await connect(counter.facts["postgres"])
    try:
        for (table,) in await connection.fetch(TABLES):
            for (row,) in await connection.fetch(f'select row_to_json(x)::text from santral."{table}" x'):
                look(f"table {table}", json.dumps(json.loads(row), ensure_ascii=False).encode())
    finally:
        await connection.close()
    folder = counter.served.folder
    for name in ("blobs", "spool", "log", "processes"):
        for file in sorted(path for path in (folder / name).rglob("*") if path.is_file()):
            place = f"{name}/{file.name}" if name == "log" else name
            look(place, file.name.encode())
            look(place, _read(file))
    look("what serve says", "\n".join(counter.served.said).encode())
    for record in await read_topic(counter.facts["kafka"], TOPICS.events):
        headers = b"".join(name.encode() + value for name, value in record.headers)
        look("events", b"\n".join((record.key or b"", record.value, headers)))
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for process in PROCESSES:
            port = environment_of(counter.served.child(process))[f"SANTRAL_{process.upper()}_HEALTH_PORT"]  # type: ignore[arg-type]
            page = await client.get(f"http://127.0.0.1:{port}/metrics")
            assert b"santral_" in page.content
            look(f"metrics of the {process}", page.content)
            look(f"health of the {process}", (await client.get(f"http://127.0.0.1:{port}/healthz")).content)
    return {place: sorted(seen) for place, seen in found.items()}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""  # It went while the folder was read.
