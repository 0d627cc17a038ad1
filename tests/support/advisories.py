"""Known vulnerabilities of what a release brings: `pip-audit` for Python, `npm audit` for the front end, the same service for Kafka's jars.

Whatever could not be asked about counts as found wanting: a mirror that knows no advisories answers like one that has none.
Source: OSV schema 1.x (``POST /v1/query``); npm's bulk advisory end point.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from services.web.build import find_node
from shared.embedded.cache import pinned_jars

ROOT: Final = Path(__file__).resolve().parents[2]
OSV_URL: Final = "https://api.osv.dev/v1/query"
WORKFLOWS: Final = ROOT / ".github" / "workflows"
_TOOL_S_MAX: Final = 600
_ASK_S_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one source said. ``wrong`` are lines for people; none means asked about everything, and nothing known."""

    source: str
    asked: int
    wrong: tuple[str, ...] = ()


def python(requirements: Path, *, osv_url: str = OSV_URL) -> Answer:
    """`pip-audit` over a lock file with hashes."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--disable-pip", "--require-hashes", "--format", "json",
        "--vulnerability-service", "osv", "--osv-url", osv_url, "--progress-spinner", "off", "--timeout", str(_ASK_S_MAX),
    ]  # fmt: skip
    done = _run(command, ROOT)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Answer(source="pip-audit", asked=0, wrong=(_last(done.stderr),))
    skipped = [f"{one['name']}: not asked about: {one['skip_reason']}" for one in found if "skip_reason" in one]
    known = [
        f"{one['name']} {one['version']}: {flaw['id']}"
        + (f", mended in {', '.join(flaw['fix_versions'])}" if flaw["fix_versions"] else "")
        for one in found
        for flaw in one.get("vulns", [])
    ]
    return Answer(source="pip-audit", asked=len(found) - len(skipped), wrong=(*known, *skipped))


def pages(web: Path = ROOT / "services/web", *, registry: str | None = None) -> Answer:
    """`npm audit` over the front end's lock file, its tools included: what builds the pages can change them."""
    node = find_node()
    command = [str(node.executable), str(node.npm), "audit", "--json", *([f"--registry={registry}"] if registry else [])]
    done = _run(
        command, web, {"PATH": f"{node.executable.parent}{os.pathsep}{os.environ.get('PATH', '')}", "NODE_USE_SYSTEM_CA": "1"}
    )
    try:
        said: dict[str, Any] = json.loads(done.stdout)
        found, asked = said["vulnerabilities"], int(said["metadata"]["dependencies"]["total"])
    except (ValueError, KeyError, TypeError):
        return Answer(source="npm audit", asked=0, wrong=(_last(done.stderr or done.stdout),))
    return Answer(source="npm audit", asked=asked, wrong=tuple(f"{name}: {one['severity']}" for name, one in sorted(found.items())))


def jars(*, osv_url: str = OSV_URL) -> Answer:
    """The jars that `santral serve` starts Kafka from."""
    wrong: list[str] = []
    asked = 0
    with httpx.Client(timeout=_ASK_S_MAX) as client:
        for jar in pinned_jars().jars:
            group, artifact, version = jar.coordinate.split(":")
            question = {"package": {"ecosystem": "Maven", "name": f"{group}:{artifact}"}, "version": version}
            try:
                answer = client.post(osv_url, json=question).raise_for_status().json()
            except (httpx.HTTPError, ValueError) as error:
                return Answer(source="jars", asked=asked, wrong=(*wrong, f"the advisories could not be asked: {error}"))
            asked += 1
            wrong += [f"{jar.coordinate}: {flaw['id']}" for flaw in answer.get("vulns", [])]
    return Answer(source="jars", asked=asked, wrong=tuple(wrong))


def workflows(folder: Path = WORKFLOWS) -> Answer:
    """Workflows of a hosting service: there are none, and the day there is one it has to be looked at by a tool made for them (zizmor)."""
    found = sorted(path.name for pattern in ("*.yml", "*.yaml") for path in folder.glob(pattern))
    return Answer(source="workflows", asked=len(found), wrong=tuple(f"{name}: add zizmor to `make audit` first" for name in found))


def _run(command: Sequence[str], folder: Path, more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(more or {})}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_TOOL_S_MAX, check=False)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"the advisories could not be asked: {lines[-1] if lines else 'no answer'}"
