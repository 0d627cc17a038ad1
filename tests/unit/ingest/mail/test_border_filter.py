"""What the filter at our own border says; never what a sender writes in its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.border_filter import FILTERS, BorderVerdict, border_verdict

Fields = list[tuple[str, str]]
FOREFRONT = "X-Forefront-Antispam-Report"
RESULT = "X-Spamd-Result"


def microsoft(verdict: str, score: float | None) -> BorderVerdict:
    return BorderVerdict(verdict=verdict, by="microsoft", score=score)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("X-MS-Exchange-Organization-SCL", "1")], microsoft("clean", 1)),
        ([("X-MS-Exchange-Organization-SCL", "-1")], microsoft("clean", -1)),
        ([("X-MS-Exchange-Organization-SCL", "5")], microsoft("spam", 5)),
        (
            [(FOREFRONT, "CIP:192.0.2.1;CTRY:TR;LANG:tr;SCL:1;SRV:;IPV:NLI;SFV:NSPM;CAT:NONE;SFS:(1);DIR:INB;")],
            microsoft("clean", 1),
        ),
        ([(FOREFRONT, "CIP:192.0.2.1;SCL:5;SFV:SPM;CAT:SPM;")], microsoft("spam", 5)),
        ([(FOREFRONT, "CIP:192.0.2.1;SCL:8;SFV:SPM;CAT:HPHSH;")], microsoft("phishing", 8)),
        ([(FOREFRONT, "CIP:192.0.2.1;SCL:1;SFV:NSPM;CAT:BULK;")], microsoft("bulk", 1)),
        ([(FOREFRONT, "SFV:NSPM"), ("X-Microsoft-Antispam", "BCL:8;ARA:1")], microsoft("bulk", None)),
        ([(FOREFRONT, "SFV:NSPM"), ("X-Microsoft-Antispam", "BCL:3;")], microsoft("clean", None)),
        ([(FOREFRONT, "SFV:SKB;")], microsoft("spam", None)),
        ([(FOREFRONT, "no pairs at all")], None),
        ([("X-Forefront-Antispam-Report-Untrusted", "SCL:9;SFV:SPM")], None),
        ([("X-Spam-Flag", "YES"), (RESULT, "default: True [20.00 / 15.00]")], None),
    ],
)
def test_microsofts_words(headers: Fields, expected: BorderVerdict | None) -> None:
    assert border_verdict(headers, "microsoft") == expected


@pytest.mark.parametrize(
    ("headers", "verdict", "score"),
    [
        ([(RESULT, "default: False [3.90 / 15.00]; ARC_NA(0.00)[]; DMARC_POLICY_ALLOW(-0.50)[x.example,none]")], "clean", 3.9),
        ([(RESULT, "default: True [16.10 / 15.00]; R_SPF_FAIL(1.00)[-all]")], "spam", 16.1),
        ([(RESULT, "default: True [-0.5 / 15.00]")], "spam", -0.5),
        ([(RESULT, "default: True [16.10 / 15.00]; PHISHED_OPENPHISH(7.00)[http://x.example]")], "phishing", 16.1),
        ([(RESULT, "default: False [1.10 / 15.00]; PHISHING(1.00)[x->y]")], "clean", 1.1),
        ([("X-Rspamd-Score", "7.2"), ("X-Spam", "Yes")], "spam", 7.2),
        ([("X-Rspamd-Score", "1.5"), ("X-Rspamd-Action", "no action")], "clean", 1.5),
        ([("X-Rspamd-Score", "6.5"), ("X-Rspamd-Action", "add header")], "spam", 6.5),
        ([("X-Rspamd-Score", "1.5")], "clean", 1.5),
        ([("X-Spam", "Yes")], "spam", None),
    ],
)
def test_rspamds_words(headers: Fields, verdict: str, score: float | None) -> None:
    found = border_verdict(headers, "rspamd")
    assert found is not None
    assert (found.verdict, found.by, found.score) == (verdict, "rspamd", score)


@pytest.mark.parametrize(
    ("headers", "verdict", "score"),
    [
        ([("X-Spam-Status", "No, score=-2.9 required=5.0 tests=BAYES_00,SPF_PASS autolearn=ham")], "clean", -2.9),
        ([("X-Spam-Status", "Yes, score=7.2 required=5.0 tests=BAYES_99"), ("X-Spam-Flag", "YES")], "spam", 7.2),
        ([("X-Spam-Status", "Yes, hits=7.2 required=5.0")], "spam", 7.2),
        ([("X-Spam-Flag", "YES"), ("X-Spam-Score", "12.1")], "spam", 12.1),
        ([("X-Spam-Flag", "NO")], "clean", None),
    ],
)
def test_spamassassins_words(headers: Fields, verdict: str, score: float | None) -> None:
    found = border_verdict(headers, "spamassassin")
    assert found is not None
    assert (found.verdict, found.by, found.score) == (verdict, "spamassassin", score)


EVERYTHING: Fields = [
    ("X-MS-Exchange-Organization-SCL", "9"), (FOREFRONT, "SCL:9;SFV:SPM;CAT:PHSH"), (RESULT, "default: True [99 / 15]"), ("X-Spam", "Yes"),
    ("X-Spam-Status", "Yes, score=99 required=5"), ("X-Spam-Flag", "YES"),
]  # fmt: skip


@pytest.mark.parametrize("setting", ["", "barracuda", "Microsoft", "x"])
def test_without_the_setting_nothing_is_believed(setting: str) -> None:
    assert border_verdict(EVERYTHING, setting) is None


def test_no_other_filters_field_is_believed() -> None:
    assert border_verdict(EVERYTHING[2:], "microsoft") is None
    assert border_verdict(EVERYTHING[:2], "rspamd") is None
    assert border_verdict(EVERYTHING[:4], "spamassassin") is None


def test_a_strangers_copy_below_the_borders_changes_nothing() -> None:
    """A sender writes himself clean, or another dirty: the border writes on top."""
    assert border_verdict([(FOREFRONT, "SCL:5;SFV:SPM"), (FOREFRONT, "SCL:-1;SFV:SKN")], "microsoft") == microsoft("spam", 5)
    assert border_verdict([(FOREFRONT, "SCL:1;SFV:NSPM"), (FOREFRONT, "SCL:9;CAT:PHSH")], "microsoft") == microsoft("clean", 1)
    rspamd = border_verdict([(RESULT, "default: True [20 / 15]"), (RESULT, "default: False [-9 / 15]")], "rspamd")
    assert rspamd == BorderVerdict(verdict="spam", by="rspamd", score=20)
    assassin = border_verdict([("X-Spam-Status", "Yes, score=9 required=5"), ("X-Spam-Status", "No, score=-9")], "spamassassin")
    assert assassin == BorderVerdict(verdict="spam", by="spamassassin", score=9)


def test_nobody_writes_himself_clean_in_a_field_that_the_border_leaves_out() -> None:
    """A border that marks spam in one field only: a stranger's other field of that filter makes nothing better."""
    found = border_verdict(
        [("X-Spam-Status", "Yes, score=9 required=5"), ("X-Spam-Flag", "NO"), ("X-Spam-Score", "-9")], "spamassassin"
    )
    assert found == BorderVerdict(verdict="spam", by="spamassassin", score=9)
    assert border_verdict([(FOREFRONT, "SCL:6;SFV:SPM"), ("X-MS-Exchange-Organization-SCL", "-1")], "microsoft") == microsoft(
        "spam", 6
    )


@given(
    st.lists(st.tuples(st.sampled_from([name for name, _ in EVERYTHING]), st.text(max_size=80)), max_size=6),
    st.sampled_from(FILTERS),
)
def test_nothing_raises(headers: Fields, border_filter: str) -> None:
    found = border_verdict(headers, border_filter)
    assert found is None or found.by == border_filter
