"""What makes two contents the same where a provider gives no id, or one that cannot be trusted. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ingest.adapter import Part


def content_digest(values: Mapping[str, Any], parts: Sequence[Part] = ()) -> str:
    """32 hex digits over what a person would call the same message: sender, subject, text, files; not times or traces."""
    sender = values.get("sender")
    summary = {
        "sender": getattr(sender, "value", None),
        "subject": values.get("subject", ""),
        "text": values.get("text", ""),
        "parts": [hashlib.blake2b(part.content, digest_size=16).hexdigest() for part in parts if part.role == "attachment"],
    }
    return hashlib.blake2b(json.dumps(summary, sort_keys=True).encode(), digest_size=16).hexdigest()
