"""Wheels built from a tree of sources, and installed as an operator would."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("ingest", "profiles", "router", "services", "shared")
PAGES = ROOT / "services/web/dist"
GUIDE = ROOT / "services/web/guide"


def missing(reason: str) -> None:
    """Something of the machine's is not there: a failure where everything must be, else the test is skipped with the reason."""
    assert not os.environ.get("CI"), reason
    pytest.skip(reason)


def require_pages() -> None:
    """The front end and the documentation are built."""
    if not (PAGES / "santral-chat.js").exists() or not (GUIDE / "index.html").exists():
        missing("the front end or the documentation is not built: make build")


def build(root: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Builds the wheel of a tree into a folder."""
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def built(root: Path, target: Path) -> Path:
    """The wheel of a tree that must build."""
    done = build(root, target)
    assert done.returncode == 0, done.stderr
    (found,) = target.glob("santral-*.whl")
    return found


def install(wheel: Path, home: Path) -> Path:
    """A fresh virtual environment with the wheel in it; dependencies are seen where the tests have them. Its ``bin`` folder."""
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        check=True,
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # A path in a .pth file is searched, but its own .pth files, such as an editable install's, are not followed.
    (home / "lib" / version / "site-packages" / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"
