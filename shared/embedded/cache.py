"""Kafka's jars in a cache of this account, shared by all data folders: fetched once, then offline for ever.

Source: `kafka.lock.json` beside this file: coordinates, SHA-256 and sizes of the jars of one Kafka release, plus the
binding that makes it write a log. Identity: the cache is complete when its stamp equals the digest of that list and every jar
has its size; checksums are compared when a jar arrives.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.embedded.errors import EmbeddedError, FetchFailed, FolderUnusable, unusable
from shared.embedded.folder import Progress, silent

_LOCK_FILE: Final = Path(__file__).with_name("kafka.lock.json")
_FETCH: Final = Path(__file__).with_name("fetch.py")

_REMEDIES: Final = {
    "network": "the network or a proxy does not answer: check the connection (HTTPS_PROXY is honoured) and start again",
    "certificate": "a proxy answers with a certificate nobody here trusts: install its authority, or name it in SSL_CERT_FILE",
    "missing": "the repository has no such file: check that a mirror or proxy does not filter it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One file of the class path. `coordinate` is ``group:artifact:version``; `size_bytes` and `sha256` are of the file."""

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


@dataclass(frozen=True, slots=True, kw_only=True)
class JarList:
    """What belongs together, and the digest that stands for exactly that."""

    name: str
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        lines = "\n".join(f"{jar.coordinate} {jar.sha256} {jar.size_bytes}" for jar in self.jars)
        return hashlib.sha256(lines.encode()).hexdigest()


def pinned_jars() -> JarList:
    """The list this release of Santral was tested with."""
    content = json.loads(_LOCK_FILE.read_text(encoding="utf-8"))
    jars = (Jar(coordinate=jar["coordinate"], sha256=jar["sha256"], size_bytes=jar["bytes"]) for jar in content["jars"])
    return JarList(name=content["name"], jars=tuple(jars))


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where this account keeps what can be fetched again, by its system's convention, Santral's part of it."""
    chosen = environment.get("XDG_CACHE_HOME", "")
    if chosen and Path(chosen).is_absolute():
        return Path(chosen) / "santral"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "santral"


@dataclass(frozen=True, slots=True, kw_only=True)
class JarCache:
    """The jars of one list, in a folder of the cache."""

    root: Path = field(default_factory=lambda: cache_folder(os.environ))
    content: JarList = field(default_factory=pinned_jars)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    fetcher: Path = _FETCH

    @property
    def folder(self) -> Path:
        return self.root / self.content.name

    @property
    def jars_folder(self) -> Path:
        """What goes on the class path, with ``/*``."""
        return self.folder / "jars"

    def is_complete(self) -> bool:
        """Whether a start needs no network. Reads the stamp and the sizes only."""
        try:
            stamped = (self.folder / "complete").read_text(encoding="utf-8") == self.content.digest
            return stamped and all(self._has(jar) for jar in self.content.jars)
        except OSError:
            return False

    def _has(self, jar: Jar) -> bool:
        path = self.jars_folder / jar.file_name
        return path.is_file() and path.stat().st_size == jar.size_bytes

    async def ensure(self, progress: Progress = silent) -> Path:
        """Returns the folder of the jars, complete. Safe to call at once from many processes: one fetches, the others wait.

        Raises `FolderUnusable` or `FetchFailed`; jars that had arrived whole are kept for the next try.
        """
        if self.is_complete():
            return self.jars_folder
        lock = self._open_lock()
        try:
            waited = False
            while not _try_lock(lock):
                if not waited:
                    progress("Another Santral is fetching Apache Kafka; waiting for it.")
                    waited = True
                await asyncio.sleep(0.2)
            if not self.is_complete():
                await self._fill(progress)
        finally:
            os.close(lock)
        return self.jars_folder

    def _open_lock(self) -> int:
        try:
            self.jars_folder.mkdir(parents=True, exist_ok=True)
            return os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _cache_unusable(self.folder, error) from error

    async def _fill(self, progress: Progress) -> None:
        missing = [
            jar for jar in self.content.jars if not (self._has(jar) and _sha256(self.jars_folder / jar.file_name) == jar.sha256)
        ]
        size_mb = sum(jar.size_bytes for jar in missing) / 1e6
        progress(f"Fetching Apache Kafka once for this account: {len(missing)} files, {size_mb:.0f} MB.")
        try:
            for leftover in self.folder.glob("fetch-*"):
                shutil.rmtree(leftover)
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=self.folder) as scratch:
                await self._fetch(missing, Path(scratch), progress)
            scratch_stamp = self.folder / "complete.new"
            scratch_stamp.write_text(self.content.digest, encoding="utf-8")
            scratch_stamp.replace(self.folder / "complete")
        except OSError as error:
            raise _cache_unusable(self.folder, error) from error
        progress("Apache Kafka is complete; later starts need no network.")

    async def _fetch(self, missing: list[Jar], scratch: Path, progress: Progress) -> None:
        wanted = {jar.coordinate: jar for jar in missing}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            str(self.fetcher),
            str(scratch),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self.environment),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        complaints = asyncio.create_task(process.stderr.read())
        try:
            process.stdin.write(json.dumps(list(wanted)).encode())
            process.stdin.close()
            count = 0
            async for line in process.stdout:
                answer = json.loads(line)
                if "error" in answer:
                    raise self._failure(answer["error"], answer["detail"])
                self._take(wanted.pop(answer["done"]), Path(answer["path"]))
                count += 1
                if count % 10 == 0:
                    progress(f"Fetched {count} of {len(missing)} files.")
            if await process.wait() != 0 or wanted:
                lines = (await complaints).decode(errors="replace").strip().splitlines()
                raise self._failure("unknown", lines[-1] if lines else f"exit status {process.returncode}")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await complaints

    def _take(self, jar: Jar, arrived: Path) -> None:
        digest = _sha256(arrived)
        if digest != jar.sha256:
            raise FetchFailed(
                f"{jar.file_name} arrived with checksum {digest[:12]}… instead of {jar.sha256[:12]}…, so it was refused: "
                "a proxy or mirror alters downloads; use another network or fill the cache from a machine that has it."
            )
        arrived.replace(self.jars_folder / jar.file_name)

    def _failure(self, cause: str, detail: str) -> EmbeddedError:
        if cause == "full":
            return FolderUnusable(
                f"The cache folder {self.folder} cannot be filled because the disk is full: free 50 MB and start again."
            )
        if cause == "unwritable":
            return FolderUnusable(f"The cache folder {self.folder} cannot be written ({detail}): set XDG_CACHE_HOME to another.")
        remedy = _REMEDIES.get(cause, f"the downloader failed ({detail}): start again, or use your own Kafka")
        return FetchFailed(f"Apache Kafka could not be fetched because {remedy}.")


def _cache_unusable(folder: Path, error: OSError) -> FolderUnusable:
    return FolderUnusable(f"{unusable(folder, error)} XDG_CACHE_HOME names another cache folder.")


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
