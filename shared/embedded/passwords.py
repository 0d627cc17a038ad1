"""The passwords of an embedded database's roles: made once, kept beside the data in a file for this account only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from shared.embedded.errors import ServerFailed, unusable
from shared.embedded.folder import write_private


def kept_passwords(path: Path, roles: Sequence[str], *, data: Path) -> dict[str, str]:
    """The password of each role, the same at every call. They hold letters, digits, dashes and underscores only.

    New ones are made only while `data` does not exist. Raises `ServerFailed` when the file is gone or damaged and the data is
    there: other passwords would not open it. Raises `FolderUnusable`.
    """
    try:
        kept = _parsed(path.read_text(encoding="utf-8"), roles)
    except FileNotFoundError:
        kept = None
    except OSError as error:
        raise unusable(path.parent, error) from error
    if kept is not None:
        return kept
    if data.exists():
        raise ServerFailed(
            f"{path} is missing or damaged, so nobody can sign in to the data beside it: bring it back from a backup."
        )
    made = {role: secrets.token_urlsafe(24) for role in roles}
    write_private(path, json.dumps(made))
    return made


def _parsed(text: str, roles: Sequence[str]) -> dict[str, str] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if not isinstance(content, dict) or not all(isinstance(content.get(role), str) for role in roles):
        return None
    return {role: content[role] for role in roles}
