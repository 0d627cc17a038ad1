"""``/docs`` and ``/openapi.json``: the reference of REST, rendered here from the document itself, so it works offline and without scripts.

Both are made once: a megabyte of JSON takes as long as a hundred messages, and strangers may ask for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.api.static_pages import File, answer, file_of

router = APIRouter(include_in_schema=False)
_POLICY: Final = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--accent:#0b6e64}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2rem 1rem}
h1{margin:0}h2{margin-top:3rem;border-bottom:1px solid var(--line);padding-bottom:.3rem}
details{border:1px solid var(--line);border-radius:8px;margin:.5rem 0;padding:.5rem .8rem}
summary{cursor:pointer}code,pre{font:13px/1.5 ui-monospace,monospace}pre{overflow:auto;background:#8881;padding:.8rem;border-radius:6px}
.verb{display:inline-block;min-width:4rem;font-weight:700;color:var(--accent)}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
nav a{margin-right:1rem}.quiet{opacity:.7}
"""


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The document, for tools."""
    return answer(request, _reference(request).document, cache="no-cache", access_control_allow_origin="*")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The document, for people."""
    return answer(request, _reference(request).page, cache="no-cache", content_security_policy=_POLICY)


@router.get("/docs/style.css")
async def style() -> Response:
    """The look of the reference."""
    return Response(_STYLE, media_type="text/css", headers={"cache-control": "public, max-age=3600"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The document as it is served, to tools and to people."""

    document: File
    page: File


def _reference(request: Request) -> Reference:
    state = request.app.state
    if state.reference is None:
        document = request.app.openapi()
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        state.reference = Reference(document=file_of("openapi.json", text), page=file_of("docs.html", _page(document).encode()))
    found: Reference = state.reference
    return found


def _page(document: Mapping[str, Any]) -> str:
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document.get("tags", ())}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(_operation(document, path, verb, operation))
    about = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    sections = "".join(
        f'<h2 id="{escape(tag)}">{escape(tag.capitalize())}</h2><p>{escape(about.get(tag, ""))}</p>{"".join(operations)}'
        for tag, operations in by_tag.items()
        if operations
    )
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag, operations in by_tag.items() if operations)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Santral API'
        f'</title><link rel="stylesheet" href="/docs/style.css"></head><body><h1>Santral API</h1>'
        f"<p>{escape(document['info'].get('description', '')).replace('**', '')}</p>"
        f'<p><a href="/openapi.json">openapi.json</a> · <a href="/docs/guide/">guide</a></p>'
        f"<nav>{links}</nav>{sections}</body></html>"
    )


def _operation(document: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{escape(_kind(document, one.get('schema', {})))}{' · required' if one.get('required') else ''}</td>"
        f"<td>{escape(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    if rows:
        parts.append(f"<table><tr><th>name</th><th>in</th><th>type</th><th></th></tr>{rows}</table>")
    if body:
        parts.append(f"<p>Body</p><pre>{escape(_example(document, body))}</pre>")
        parts.append(_fields(document, body))
    refusals = [status for status in operation["responses"] if int(status) >= 400]
    for status, said in operation["responses"].items():
        if status in refusals:
            continue
        schema = said.get("content", {}).get("application/json", {}).get("schema")
        parts.append(f"<p>{escape(status)} {escape(said.get('description', ''))}</p>")
        parts.append(_fields(document, schema) if schema else "")
    parts.append(f"<p>Problems: {', '.join(refusals)}</p>")
    title = escape(operation.get("summary", ""))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="verb">{verb.upper()}</span> <code>{escape(path)}</code> '
        f'<span class="quiet">{title}</span></summary>{"".join(parts)}</details>'
    )


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return document["components"]["schemas"].get(reference.rpartition("/")[2], {}) if reference else schema


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(dict.fromkeys(_kind(document, one) for one in schema[word]))
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("const") or schema.get("type") or "any")


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    found = _resolved(document, schema)
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(document, one))}"
        f"{' · required' if name in found.get('required', ()) else ''}</td><td>{escape(one.get('description', ''))}</td></tr>"
        for name, one in found.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    found = _resolved(document, schema)
    example = next(_examples(found), None)
    if example is None:
        example = {name: _kind(document, one) for name, one in found.get("properties", {}).items()}
    return json.dumps(example, ensure_ascii=False, indent=2)


def _examples(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from schema.get("examples", ())
    if "example" in schema:
        yield schema["example"]
