"""Brings pinned jars from Maven's central repository, in a process of its own.

Run as a program (``python -P fetch.py FOLDER``, coordinates as a JSON list on standard input), never imported: it
makes the whole process trust the system's certificates, as machines behind an inspecting proxy need. It prints one JSON object
a line: ``{"done": coordinate, "path": …}`` per jar, or ``{"error": cause, "detail": …}`` and exits with 1.

Source: jgo's Maven API. Versions are pinned, so nothing is resolved: one download per jar instead of a dependency tree. What
it brings is not trusted here; the caller compares checksums.
"""

from __future__ import annotations

import errno
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

_TRIES = 3
_TIMEOUT_S = 30


def _cause(error: BaseException) -> str:
    """The chain of causes, boiled down to a word the caller has a sentence for."""
    import requests

    seen: BaseException | None = error
    words = str(error)
    if isinstance(error, requests.exceptions.SSLError) or "CERTIFICATE_VERIFY" in words:
        return "certificate"
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return "full"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, requests.exceptions.RequestException):
        return "network"
    return "missing" if isinstance(error, RuntimeError) else "unwritable" if isinstance(error, OSError) else "unknown"


def main(folder: Path, coordinates: list[str]) -> int:
    """Downloads each into `folder`, eight at a time; the exit status."""
    import truststore

    truststore.inject_into_ssl()
    import requests
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder, timeout=_TIMEOUT_S)

    def fetch(coordinate: str) -> Path:
        group, name, version = coordinate.split(":")
        artifact = context.project(group, name).at_version(version).artifact()
        for attempt in range(_TRIES):
            try:
                return Path(artifact.resolve())
            except requests.exceptions.SSLError:
                raise
            except requests.exceptions.RequestException:
                if artifact.cached_path is not None:
                    artifact.cached_path.unlink(missing_ok=True)  # half a file would pass for a whole one
                if attempt == _TRIES - 1:
                    raise
                time.sleep(0.5 * 2**attempt)
        raise AssertionError("the last try returns or raises")

    with ThreadPoolExecutor(max_workers=8) as pool:
        work = {pool.submit(fetch, coordinate): coordinate for coordinate in coordinates}
        for done in as_completed(work):
            error = done.exception()
            if error is not None:
                pool.shutdown(cancel_futures=True)
                print(json.dumps({"error": _cause(error), "detail": str(error)[:500]}), flush=True)  # noqa: T201
                return 1
            print(json.dumps({"done": work[done], "path": str(done.result())}), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.load(sys.stdin)))
