"""Every snippet of the README and of docs/ is what its kind says; the end-to-end tests run those that are programs."""

from __future__ import annotations

import pytest

from tests.support.snippets import Snippet, check, commands, snippets, snippets_in
from tests.support.tables import ROOT

ALL = snippets()


@pytest.mark.parametrize("snippet", ALL, ids=str)
def test_a_snippet_is_what_its_kind_says(snippet: Snippet) -> None:
    check(snippet)


def test_every_fence_is_a_snippet() -> None:
    assert len(ALL) > 20
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = path.read_text("utf-8")
        assert text.count("```") == 2 * len(list(snippets_in(path.name, text))), path
        assert "~~~" not in text, f"{path}: a fence of tildes is not looked at"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("", "santral doctor\n"),
        ("console", "$ santral doctor\n"),
        ("sh", "santral doktor\n"),
        ("sh", "santral doctor --nothing\n"),
        ("sh", "santral policy\n"),
        ("sh", "curl https://santral.example\n"),
        ("sh", "make nothing\n"),
        ("sh", 'make run ARGS="--nothing"\n'),
        ("sh", "santral doctor --json | sort\n"),
        ("http", "GET /v1/nothing\n"),
        ("http", 'POST /v1/messages\n\n{"inbox": "api"}\n'),
        (
            "http",
            'POST /v1/messages\n\n{"inbox": "api", "external_id": "1", "from": {"kind": "email", "value": "a@ornek.com"}, "txt": "x"}\n',
        ),
        ("http", "POST /v1/messages\n"),
        ("yaml", "queues:\n  - {name: general, tittle: Genel}\n"),
        ("yaml", "policy:\n  rules: [{name: a, when: {field: message.chanel, op: is, value: email}}]\n"),
        ("yaml", "classes: []\n"),
        ("html", '<script src="https://santral.example/santral-chat.js" data-inbx="T" async></script>\n'),
        ("html", '<script src="https://santral.example/chat.js" data-inbox="T" async></script>\n'),
        ("mermaid", "flowchart LR\n"),
        ("python", "if\n"),
        ("text", "  santral doctor\n"),
    ],
)
def test_what_is_not_so_is_refused(kind: str, text: str) -> None:
    with pytest.raises(BaseException):  # noqa: B017, PT011 -- each reader has errors of its own
        check(Snippet(page="page", line=1, kind=kind, text=text))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_lines_are_read_as_a_shell_reads_them() -> None:
    lines = "# first\nsantral a --b 'c d'   # why\n\nsantral e | jq -r .f >> file\nsantral g > h.yaml\n"
    assert list(commands(lines)) == [["santral", "a", "--b", "c d"], ["santral", "e"], ["jq", "-r", ".f"], ["santral", "g"]]
