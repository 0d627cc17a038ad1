"""The bill of materials of a release: what `pip install santral` with all its extras brings, what is in the pages, the jars of Kafka.

Python packages and their licences are read from the installed environment by CycloneDX's own tool; what only development needs is left
out. The pages' packages come from the front end's lock file, the jars with their checksums from `shared/embedded/kafka.lock.json`.
Source: CycloneDX 1.6 (components, purl, hashes, licenses).
**Identity** of a component: its purl.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shared.embedded.cache import pinned_jars

ROOT: Final = Path(__file__).resolve().parents[2]
EXTRAS: Final = ("embedded", "duplicates", "plots")
"""Those that a deployment may ask for; ``dev`` is none of them."""
PAGE_LIBRARY: Final = "lit"
"""What is built into the pages; everything else in the front end's lock file is a tool."""
_TOOL_S_MAX: Final = 120


def required(extras: Iterable[str]) -> frozenset[str]:
    """Canonical names of what santral with these extras stands on, itself left out, as installed here."""
    found: set[str] = set()
    waiting = [("santral", frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # a marker of another system asks for it
        for line in lines:
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                found.add(canonicalize_name(need.name))
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return frozenset(found - {"santral"})


def installed() -> dict[str, Any]:
    """What is installed here, development included, as a CycloneDX document."""
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "environment",
        "--output-reproducible",
        "--pyproject",
        "pyproject.toml",
        sys.executable,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TOOL_S_MAX, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def bill_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The release's bill, from what is installed."""
    ours = required(EXTRAS)
    python = [one for one in document["components"] if canonicalize_name(one["name"]) in ours]
    components = [*python, *_in_pages(), *_jars()]
    kept = {one["bom-ref"] for one in components} | {"root-component"}
    tree = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in kept]}
        for one in document["dependencies"]
        if one["ref"] in kept
    ]
    return {**document, "components": components, "dependencies": tree}


def faults(bill: Mapping[str, Any]) -> str:
    """What CycloneDX's schema finds wrong with a document; empty when nothing."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))
    return "" if found is None else str(found)


def page_packages() -> dict[str, Mapping[str, Any]]:
    """The packages built into the pages, by name, as the front end's lock file has them."""
    packages = json.loads((ROOT / "services/web/package-lock.json").read_text(encoding="utf-8"))["packages"]
    found: dict[str, Mapping[str, Any]] = {}
    waiting = [PAGE_LIBRARY]
    while waiting:
        name = waiting.pop()
        entry = packages[f"node_modules/{name}"]
        if name not in found and not name.startswith("@types/"):
            found[name] = entry
            waiting += entry.get("dependencies", {})
    return found


def _in_pages() -> list[dict[str, Any]]:
    return [
        {
            "type": "library", "bom-ref": f"npm/{name}", "name": name, "version": entry["version"],
            "purl": f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}", "licenses": [{"expression": entry["license"]}],
        }
        for name, entry in sorted(page_packages().items())
    ]  # fmt: skip


def _jars() -> list[dict[str, Any]]:
    found = []
    for jar in pinned_jars().jars:
        group, artifact, version = jar.coordinate.split(":")
        found.append(
            {
                "type": "library", "bom-ref": f"maven/{jar.coordinate}", "group": group, "name": artifact, "version": version,
                "purl": f"pkg:maven/{group}/{artifact}@{version}", "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
            }
        )  # fmt: skip
    return found
