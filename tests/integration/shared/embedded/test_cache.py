"""The cache of Kafka's jars: filled once, checked, shared, and clear about what is wrong."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from shared.embedded.cache import Jar, JarCache, JarList, cache_folder, pinned_jars
from shared.embedded.errors import EmbeddedError, FetchFailed, FolderUnusable

CONTENT = b"not really a jar"
LIST = JarList(
    name="thing-1",
    jars=tuple(
        Jar(coordinate=f"org.example:{name}:1", sha256=hashlib.sha256(CONTENT).hexdigest(), size_bytes=len(CONTENT))
        for name in ("a", "b")
    ),
)

# A fetcher that speaks the real one's protocol; it counts its runs beside itself.
FETCHER = """
import json, pathlib, sys
folder, here = pathlib.Path(sys.argv[1]), pathlib.Path(__file__)
with here.with_suffix(".runs").open("a") as runs:
    runs.write("run\\n")
for coordinate in json.load(sys.stdin):
    path = folder / coordinate.split(":")[1]
    path.write_bytes({content!r})
    print(json.dumps({{"done": coordinate, "path": str(path)}}), flush=True)
"""


def fetcher(tmp_path: Path, source: str) -> Path:
    path = tmp_path / "fetcher.py"
    path.write_text(source)
    return path


def cache(tmp_path: Path, source: str = FETCHER.format(content=CONTENT)) -> JarCache:
    return JarCache(root=tmp_path / "cache", content=LIST, fetcher=fetcher(tmp_path, source))


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "fetcher.runs").read_text().splitlines())


async def test_one_of_many_fetches_and_all_get_it(tmp_path: Path) -> None:
    told: list[str] = []
    caches = [cache(tmp_path) for _ in range(5)]
    folders = await asyncio.gather(*(each.ensure(told.append) for each in caches))
    assert set(folders) == {tmp_path / "cache" / "thing-1" / "jars"}
    assert sorted(jar.name for jar in folders[0].iterdir()) == ["a-1.jar", "b-1.jar"]
    assert runs(tmp_path) == 1
    assert "Another Santral is fetching Apache Kafka; waiting for it." in told
    assert list((tmp_path / "cache" / "thing-1").glob("fetch-*")) == []


async def test_only_what_is_missing_or_damaged_is_fetched_again(tmp_path: Path) -> None:
    jars = await cache(tmp_path).ensure()
    (jars / "a-1.jar").write_bytes(b"half")
    told: list[str] = []
    await cache(tmp_path).ensure(told.append)
    assert told[0].startswith("Fetching Apache Kafka once for this account: 1 files")
    assert (jars / "a-1.jar").read_bytes() == CONTENT
    assert cache(tmp_path).is_complete()


async def test_another_list_is_not_taken_for_this_one(tmp_path: Path) -> None:
    await cache(tmp_path).ensure()
    other = JarList(name=LIST.name, jars=LIST.jars[:1])
    assert not JarCache(root=tmp_path / "cache", content=other).is_complete()


async def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"checksum .* a proxy or mirror alters downloads"):
        await cache(tmp_path, FETCHER.format(content=b"tampered")).ensure()
    assert list((tmp_path / "cache" / "thing-1" / "jars").iterdir()) == []
    assert not cache(tmp_path).is_complete()


@pytest.mark.parametrize(
    ("cause", "kind", "sentence"),
    [
        ("network", FetchFailed, "does not answer: check the connection"),
        ("certificate", FetchFailed, "SSL_CERT_FILE"),
        ("missing", FetchFailed, "no such file"),
        ("full", FolderUnusable, "disk is full: free 50 MB"),
        ("unwritable", FolderUnusable, "XDG_CACHE_HOME"),
    ],
)
async def test_each_cause_has_its_remedy(tmp_path: Path, cause: str, kind: type[EmbeddedError], sentence: str) -> None:
    source = f'print(\'{{"error": "{cause}", "detail": "why"}}\'); raise SystemExit(1)'
    with pytest.raises(kind, match=sentence):
        await cache(tmp_path, source).ensure()
    await cache(tmp_path).ensure()


async def test_a_fetcher_that_breaks_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match="ZeroDivisionError"):
        await cache(tmp_path, "1 / 0").ensure()


async def test_the_real_fetcher_says_when_no_proxy_answers(tmp_path: Path) -> None:
    nowhere = {
        **os.environ,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
    }
    with pytest.raises(FetchFailed, match="does not answer: check the connection"):
        await JarCache(root=tmp_path, content=LIST, environment=nowhere).ensure()


async def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(FolderUnusable, match="XDG_CACHE_HOME names another"):
        await cache(tmp_path).ensure()


def test_the_folder_follows_the_systems_convention(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "santral"
    assert cache_folder({"XDG_CACHE_HOME": "relative"}).parent.parent == Path.home()


def test_the_list_is_pinned_and_can_write_a_log() -> None:
    jars = pinned_jars()
    assert jars.name == "kafka-4.3.0"
    assert {"kafka_2.13-4.3.0.jar", "log4j-slf4j-impl-2.25.4.jar"} <= {jar.file_name for jar in jars.jars}
    assert all(len(jar.sha256) == 64 and jar.size_bytes > 0 for jar in jars.jars)
    assert len({jar.file_name for jar in jars.jars}) == len(jars.jars)
