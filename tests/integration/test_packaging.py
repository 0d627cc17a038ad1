"""The wheel: what is in it, that it is refused without its pages, and that an installed one serves."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.support.serving import serving
from tests.support.wheels import ROOMS, ROOT, build, built, install, require_pages

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of these sources, with the front end as it is built here."""
    require_pages()
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation of it: the ``bin`` folder."""
    return install(wheel, tmp_path_factory.mktemp("venv"))


def test_the_wheel_has_all_that_runs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    needed = {
        "services/schema/migrations/versions/r0001_first.sql",
        "services/schema/migrations/script.py.mako",
        "services/demo/workspace.yaml",
        "shared/embedded/kafka.lock.json",
        "services/web/dist/desk.html",
        "services/web/dist/chat.html",
        "services/web/dist/shop.html",
        "services/web/dist/santral-chat.js",
        "services/web/guide/index.html",
        "services/web/guide/search.json",
    }
    assert needed - names == set()
    (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    folder = metadata.removesuffix("METADATA")
    assert {f"{folder}licenses/LICENSE", f"{folder}licenses/NOTICE", f"{folder}entry_points.txt"} <= names
    assert {name.split("/")[0] for name in names} == {*ROOMS, folder.rstrip("/")}
    assert [name for name in names if "node_modules" in name or name.startswith(("services/web/src/", "services/web/tests/"))] == []
    sources = {
        str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts
    }
    assert {name for name in sources - names if not name.startswith("services/web/")} == set()


def test_a_wheel_without_the_pages_is_refused_with_the_remedy(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "NOTICE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("")
    done = build(tmp_path, tmp_path / "dist")
    assert done.returncode != 0
    assert "build the front end first" in done.stderr
    assert list((tmp_path / "dist").glob("*.whl")) == []


async def test_an_installed_wheel_serves(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [str(installed / "python"), "-c", "import services; print(services.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(where.strip()).is_relative_to(installed.parent)
    async with serving(tmp_path, program=(str(installed / "santral"),)) as served:
        async with httpx.AsyncClient(base_url=served.facts["http"], trust_env=False) as client:
            assert (await client.get("/shop")).status_code == 200
        command = Path(f"/proc/{served.child('router')}/cmdline").read_text().split("\0")
        assert command[0] == str(installed / "python")
        assert await served.interrupt() == 0
