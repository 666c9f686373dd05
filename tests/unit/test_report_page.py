"""The report says what is published and nothing else, and runs nothing."""

import base64
import hashlib
import re
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from dagster_project.codebook.loader import shipped_codebook
from dagster_project.report.glossary import Entry, FirstUses, of_the_report
from dagster_project.report.page import render
from tests.support.published_tables import (
    manifest_of,
    tables_of,
    weekly_tables,
    weeks,
    window_tables,
    with_human_labels,
)

SYNTHETIC = "Synthetic conversations, made by a program."
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Parsed(HTMLParser):
    """Every tag with its attributes, text by id of the section around it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[tuple[str, dict[str, str]]] = []
        self.section_text: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append((tag, found))
        if tag == "tr":
            self.rows.append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag, attrs in self.open:
            if tag == "section":
                self.section_text[attrs["id"]] = self.section_text.get(attrs["id"], "") + data
        if self.open and self.open[-1][0] in {"td", "th"}:
            self.rows[-1].append(data)


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return window_tables()


@pytest.fixture(scope="module")
def page(tables: dict[str, pl.DataFrame]) -> str:
    return render(tables, manifest_of(tables), notice=SYNTHETIC)


@pytest.fixture(scope="module")
def weekly_page() -> str:
    weekly = weekly_tables()
    return render(weekly, manifest_of(weekly, second_labeller_from=date(2026, 10, 26)))


def changed(tables: dict[str, pl.DataFrame], name: str, **columns: Any) -> dict[str, pl.DataFrame]:
    """The tables with some columns of one of them replaced."""
    return {**tables, name: tables[name].with_columns(**columns)}


def test_the_page_runs_nothing_and_loads_nothing(page: str) -> None:
    """A report is opened by people who were sent it: it must not run code or tell anybody that it was read."""
    for tag, attrs in Parsed(page).tags:
        assert tag not in {"script", "iframe", "object", "embed", "link", "img", "form", "base", "foreignobject"}
        assert not [name for name in attrs if name.startswith("on")]
        assert "style" not in attrs
        for name in ("href", "src", "xlink:href", "action"):
            assert re.fullmatch(r"#[\w-]+|figures/[a-z0-9-]+\.(svg|png|csv)", attrs.get(name, "#a"))
    assert "http://" not in page and "https://" not in page and "url(" not in page


def test_the_content_policy_allows_the_style_sheet_and_nothing_else(page: str) -> None:
    """With a wrong digest every browser would show a bare page; with a loose policy an escaped name could act."""
    policy = next(a["content"] for t, a in Parsed(page).tags if a.get("http-equiv") == "Content-Security-Policy")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "unsafe" not in policy and "*" not in policy


HOSTILE = ["<img src=x onerror=alert(1)>", "</svg><script>alert(1)</script>", "=cmd()|'/c calc'!A0", '"><b onclick=x>']


def test_a_hostile_topic_name_is_only_text(tables: dict[str, pl.DataFrame]) -> None:
    """Topic names come from what users wrote: one that acts would run in every reader's browser."""
    names = [HOSTILE[i % len(HOSTILE)] for i in range(tables["topics"].height)]
    hostile = changed(tables, "topics", topic_name=pl.Series(names))
    parsed = Parsed(render(hostile, manifest_of(hostile)))
    assert not {tag for tag, _ in parsed.tags} & {"script", "img", "b"}
    assert not [a for _, attrs in parsed.tags for a in attrs if a.startswith("on")]
    for name in HOSTILE:
        assert parsed.section_text["topics"].count(name) >= 2, "in the chart and in the table"


def test_hostile_words_elsewhere_are_only_text(tables: dict[str, pl.DataFrame]) -> None:
    """Notice, help line and manifest are strings of others too."""
    bad = "<script>alert(1)</script>"
    manifest = manifest_of(tables) | {"release_id": bad, "files": {bad: {"sha256": bad}}, "sample_design": bad}
    manifest["policy"] = {bad: bad, "min_users": {"value": bad, "reason": bad}}
    manifest["periods"][0]["labellers"] = bad
    assert bad not in render(tables, manifest, notice=bad, help_line=bad)


def test_what_was_not_asked_is_not_defined_as_if_it_had_been(tables: dict[str, pl.DataFrame]) -> None:
    """The definitions say what was asked of each conversation; a private facet is not even missed."""
    manifest = manifest_of(tables)
    manifest["periods"][0]["not_measured"] = ["referral", "topic_description", "an_organisations_own"]
    said = Parsed(render(tables, manifest)).section_text
    assert "Sentiment" in said["definitions"] and "Referral" not in said["definitions"]
    everything = "".join(said.values())
    assert "without rows: Referral, an_organisations_own." in everything
    assert "Topic description" not in everything


def test_a_withheld_cell_shows_no_number(page: str, tables: dict[str, pl.DataFrame]) -> None:
    """A withheld cell says so in words; a nought or a bar would be a false number."""
    withheld = [row for row in Parsed(page).rows if "withheld" in row]
    fixed = [table for table in tables if table != "topics"]
    assert len(withheld) == sum(int(tables[t]["suppressed"].sum()) for t in fixed) > 10
    assert all(not re.search(r"\d", "".join(row)) for row in withheld)


def test_a_number_left_in_a_withheld_row_is_not_shown(page: str, tables: dict[str, pl.DataFrame]) -> None:
    """Should a mistake elsewhere leave a number in a withheld row, the page must not be what tells it."""
    leaky = tables
    for table, measure in (("pushback", "rate"), ("prevalence", "share")):
        columns = {
            name: pl.when("suppressed").then(number).otherwise(pl.col(name))
            for name, number in ((measure, 0.7777), ("n_conversations", 77_777))
        }
        leaky = changed(leaky, table, **columns)
    html = render(leaky, manifest_of(leaky), notice=SYNTHETIC)
    assert html == page
    assert "77,777" not in html and "77.8\u202f%" not in html


def test_nothing_tells_how_many_topics_were_dropped(page: str, tables: dict[str, pl.DataFrame]) -> None:
    """The number of topics below the threshold could point at a small group."""
    parsed = Parsed(page)
    assert "withheld" not in parsed.section_text["topics"].lower()
    assert not [row for row in parsed.rows if row and row[0].lower() == "topics"]
    counted = manifest_of(tables)
    counted["cells"]["topics"] = {"published": 23, "withheld": 41}
    assert render(tables, counted, notice=SYNTHETIC) == page


def test_topics_are_a_tree_with_what_fits_nowhere_last_and_changes_against_the_period_before() -> None:
    """A reader who adds parents and their topics counts people twice; one who compares weeks must compare one topic."""
    weekly = weekly_tables(n_weeks=2, n=30_000)
    topics = weekly["topics"].filter(affective_type="coaching").to_dicts()
    for start in {row["period_start"] for row in topics}:
        week = [row for row in topics if row["period_start"] == start]
        for i, row in enumerate(week):
            row |= {"topic_id": f"id{i}", "share": 0.2 if start == min(r["period_start"] for r in topics) else 0.23}
            row |= {"parent_topic_id": "id0", "level": 1, "topic_name": "Below"} if i == 1 else {}
        week[0]["topic_name"], week[2]["topic_name"] = "Above", "Other"
    frame = pl.DataFrame(topics, schema=weekly["topics"].schema | {"parent_topic_id": pl.String})
    html = render({**weekly, "topics": frame}, manifest_of(weekly))
    parsed = Parsed(html)
    tree = html[html.index('class="tree"') :]
    assert tree.index("Above") < tree.index("Below") < tree.index("Other")
    assert "+3\u202fpoints" in parsed.section_text["topics"]
    told = {row[0]: row[-1] for row in parsed.rows if row and row[0] in ("Above", "– Below", "Other")}
    assert set(told.values()) == {"+3\u202fpoints"} and len(told) == 3


def test_a_suppressed_topic_row_does_not_appear(tables: dict[str, pl.DataFrame]) -> None:
    """Topics below the threshold have no row; one that came by mistake must not be named."""
    name = tables["topics"]["topic_name"][0]
    one = changed(tables, "topics", suppressed=pl.col("topic_name") == name)
    assert name not in render(one, manifest_of(one))


def test_equal_input_gives_equal_bytes(page: str, tables: dict[str, pl.DataFrame]) -> None:
    """A critic who renders a release again must get the page that was published, to the byte."""
    assert render(tables, manifest_of(tables), notice=SYNTHETIC) == page


def test_the_notice_stands_before_everything(page: str) -> None:
    """Synthetic figures must never be taken for findings."""
    assert page.index("<strong>Synthetic</strong>") < page.index(SYNTHETIC) < page.index("<h1>")


def test_only_a_synthetic_world_is_called_synthetic(tables: dict[str, pl.DataFrame]) -> None:
    """An operator's own notice must not disown figures about real people."""
    html = render(tables, {}, notice="Internal use.")
    assert "Internal use." in html and "Synthetic" not in html
    assert 'class="notice"' not in render(tables, {})


@pytest.mark.parametrize("manifest", [{}, {"periods": None, "policy": {}, "files": None}, {"periods": ["?"]}])
def test_a_bare_manifest_still_gives_a_page(tables: dict[str, pl.DataFrame], manifest: dict[str, Any]) -> None:
    """An old release whose manifest knew less must stay readable."""
    assert "Figure 4" in render(tables, manifest)


def test_without_any_period_it_refuses() -> None:
    """An empty page would look like a finding of nothing."""
    empty = {name: frame.clear() for name, frame in window_tables().items()}
    with pytest.raises(ValueError, match="no published period"):
        render(empty, {})


def test_when_everything_is_withheld_no_finding_is_claimed() -> None:
    """In a small organisation most cells are withheld: a title must not claim a number it may not show."""
    small = tables_of(weeks(1), 60, least=10_000)
    parsed = Parsed(render(small, manifest_of(small)))
    assert "How common affective conversations are" in parsed.section_text["prevalence"]
    assert "How often the assistant pushes back" in parsed.section_text["pushback"]
    assert not re.search(r"\d\u202f%", parsed.section_text["pushback"].replace("95\u202f%", ""))


def test_one_period_has_no_trend_and_several_have(page: str, weekly_page: str) -> None:
    """A line through one point would suggest a course that nobody measured."""
    assert "trend" not in page
    for figure in ("prevalence", "pushback", "sentiment"):
        assert f"c-{figure}-trend-wide" in weekly_page


def test_a_new_labeller_breaks_the_trend(weekly_page: str) -> None:
    """A step made by a new labeller must not be read as a change in people."""
    weekly = weekly_tables()
    same = render(weekly, manifest_of(weekly))
    assert "stroke-dasharray" in weekly_page and "A dashed line marks a change" in weekly_page
    assert "stroke-dasharray" not in same and "A dashed line" not in same


def test_the_longest_window_is_shown_in_full_and_else_the_newest_period(weekly_page: str) -> None:
    """A reader must know which days a number is of."""
    assert "<title>What people bring to an AI assistant, 9 to 15 November 2026</title>" in weekly_page
    window, weekly = window_tables(), weekly_tables()
    both = {name: pl.concat([weekly[name], window[name]], how="vertical_relaxed") for name in window}
    together = render(both, manifest_of(both))
    assert "21 September to 15 November 2026</title>" in together
    assert "c-prevalence-trend-wide" in together and ", by week" in together


def test_a_category_that_is_withheld_throughout_has_no_trend() -> None:
    """Panels of nothing would hide the ones that show something."""
    weekly = weekly_tables()
    pushback = weekly["pushback"]
    measures = ("n_conversations", "n_users", "of_conversations", "of_users", "rate", "rate_low", "rate_high")
    weekly["pushback"] = pushback.with_columns(
        *(pl.lit(None, pushback.schema[c]).alias(c) for c in measures), suppressed=pl.lit(True)
    )
    assert "c-pushback-trend-wide" not in render(weekly, manifest_of(weekly))


def test_the_latest_revision_is_shown(tables: dict[str, pl.DataFrame]) -> None:
    """A correction replaces what it corrects; two revisions side by side would double every row."""
    later = tables["sentiment"].with_columns(revision=pl.lit(1, dtype=pl.Int64), sentiment_change=pl.lit(-0.43))
    corrected = {**tables, "sentiment": pl.concat([tables["sentiment"], later], how="vertical_relaxed")}
    parsed = Parsed(render(corrected, manifest_of(corrected)))
    tone = [row for row in parsed.rows if row and row[0] == "Coaching" and len(row) == 10]
    assert len(tone) == 1 and tone[0][5] == "\u22120.43"


def test_ids_are_unique_and_every_chart_is_described(weekly_page: str) -> None:
    """A doubled id gives one chart the description of another, to those who cannot see that it is wrong."""
    parsed = Parsed(weekly_page)
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    charts = [attrs for tag, attrs in parsed.tags if tag == "svg"]
    assert len(charts) > 15
    for attrs in charts:
        assert attrs["role"] == "img"
        assert set(attrs["aria-labelledby"].split()) <= set(ids)
    for _, attrs in parsed.tags:
        if attrs.get("href", "").startswith("#"):
            assert attrs["href"][1:] in ids


def test_tables_and_headings_can_be_read_aloud(page: str) -> None:
    """A screen reader finds its way by headings, captions and scopes."""
    parsed = Parsed(page)
    names = [tag for tag, _ in parsed.tags]
    assert names.count("h1") == 1
    levels = [int(t[1]) for t in names if re.fullmatch(r"h[1-6]", t)]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert names.count("table") == names.count("caption")
    assert all("scope" in attrs for tag, attrs in parsed.tags if tag == "th")
    assert next(attrs["lang"] for tag, attrs in parsed.tags if tag == "html") == "en"


def test_the_page_stays_small() -> None:
    """A page that is mailed around must open at once on a phone, also after two years of weeks."""
    many = weekly_tables(104)
    assert len(render(many, manifest_of(many)).encode()) < 2_000_000


def test_a_figure_that_touches_self_harm_has_the_help_line_beside_it(tables: dict[str, pl.DataFrame]) -> None:
    """Safe messaging: who reads such a figure for their own sake finds help beside it."""
    line = "Call 116 123 at any hour."
    assert line in Parsed(render(tables, {}, help_line=line)).section_text["pushback"]
    assert line not in Parsed(render(tables, {}, help_line=line)).section_text["topics"]
    harmless = changed(tables, "topics", topic_name=pl.lit("diet, skills, soldier"))
    assert line not in Parsed(render(harmless, {}, help_line=line)).section_text["topics"]
    named = changed(tables, "topics", topic_name=pl.lit("thoughts of self-harm, night"))
    assert line in Parsed(render(named, {}, help_line=line)).section_text["topics"]


def test_the_bound_of_the_policy_is_told(page: str) -> None:
    """A reader has to know that shares describe a bounded number of conversations of each user."""
    assert "At most 5 conversations of a user" in page


def test_agreement_and_the_corrected_share_stand_beside_the_figure(tables: dict[str, pl.DataFrame]) -> None:
    """A reader must not have to look for the error of the instrument on another page."""
    coded = with_human_labels(tables)
    page = Parsed(render(coded, manifest_of(tables)))
    figure = " ".join(page.section_text["prevalence"].split())
    assert "Agreement with people: kappa +0.81" in figure and "about 400 conversations" in figure
    assert "Corrected for the labeller's error, 9.4 % affective are 7.5 % (6.6–8.5 %)" in figure
    assert "too few conversations to tell how far" in " ".join(page.section_text["pushback"].split())
    pushback = " ".join(page.section_text["pushback"].split())
    assert re.search(r"Corrected for the labeller's error, [\d.]+ % with any pushback are [\d.]+ %", pushback)
    assert "a change of" in " ".join(page.section_text["sentiment"].split())
    trust = " ".join(page.section_text["trust"].split())
    assert "stands beside the raw one" in trust and "not corrected for its errors" not in trust
    assert ["Under 6 human messages", "400", "94\u202f%", "86\u202f%", "+0.81", "+0.72 to +0.88"] in page.rows
    assert ["Coaching", "withheld"] in page.rows and ["Companionship", "withheld"] in page.rows
    assert "Agreement with people by group" in figure
    companionship = [r for r in page.rows if r[:1] == ["Companionship"]]
    assert ["Companionship", "400", "94\u202f%", *["–"] * 5] in companionship
    assert any(len(r) == 7 and r[-2:] == ["–", "–"] for r in companionship), "no correction is no withheld number"


def test_without_enough_labels_the_page_says_that_nothing_is_corrected(tables: dict[str, pl.DataFrame]) -> None:
    """Raw shares must not pass for corrected ones, and silence would let them."""
    plain = render(tables, manifest_of(tables))
    assert "No human labels cover this period" in plain and "Corrected" not in plain
    few = render(with_human_labels(tables, corrected=False), manifest_of(tables))
    assert "People labelled too few conversations to correct a share by" in few
    assert "they are not corrected for its errors: people labelled too few" in " ".join(few.split())


def test_beside_each_figure_stands_how_it_was_measured(page: str, tables: dict[str, pl.DataFrame]) -> None:
    """A number is read by what was asked, by whom and how well: on another page it would be read by nobody."""
    said = {name: " ".join(text.split()) for name, text in Parsed(page).section_text.items()}
    for figure in ("prevalence", "topics", "pushback", "sentiment", "use", "drift", "facets"):
        assert "How this was measured" in said[figure] and "labelled by local-1-3f9a2c" in said[figure]
        assert "version 1 of the question" in said[figure] and "prompt " in said[figure]
    asked = next(f for f in shipped_codebook() if f.id == "pushback")
    assert asked.question in said["pushback"] and all(c.definition in said["pushback"] for c in asked.categories)
    assert "No human labels cover this period" in said["pushback"]
    assert "Percentile bootstrap" in said["sentiment"] and "Wilson" in said["prevalence"]
    assert "10 users and 15 conversations" in said["pushback"] and "25 users and 50 conversations" in said["topics"]
    withheld = int(tables["pushback"]["suppressed"].sum())
    assert f"{withheld} of {tables['pushback'].height} cells" in said["pushback"]


def test_reasons_for_pushback_stand_by_type_with_what_they_are_shares_of(
    page: str, tables: dict[str, pl.DataFrame]
) -> None:
    """A grid of shares that leaves out of how many it speaks is read as shares of all conversations."""
    said = " ".join(Parsed(page).section_text["facets"].split())
    assert "Reason for pushback: by type" in said and "Figure 7" in Parsed(page).section_text["pushback"]
    own = tables["facets"].filter(pl.col("facet") == "pushback_reason")
    for kind, name in (("any", "all types"), ("coaching", "coaching")):
        shown = own.filter((pl.col("affective_type") == kind) & ~pl.col("suppressed"))
        assert f"{name} about {shown['of_conversations'][0]:,} of about {shown['of_users'][0]:,} users" in said
    withheld = changed(tables, "facets", suppressed=pl.lit(True), share=pl.lit(None, pl.Float64))
    assert "pushback: by type" not in Parsed(render(withheld, manifest_of(withheld))).section_text["facets"]


def test_without_reasons_nothing_points_at_them(tables: dict[str, pl.DataFrame]) -> None:
    """The embedded labeller measures none: a reader would look for a chart that is not there."""
    without = {**tables, "facets": tables["facets"].filter(pl.col("facet") != "pushback_reason")}
    said = Parsed(render(without, manifest_of(without))).section_text
    assert "are in Figure 7" not in said["pushback"] and "Reason for pushback: by type" not in said["facets"]


def test_a_break_says_what_is_other(weekly_page: str) -> None:
    """A dashed line alone leaves open whether the labeller, the question or the prompt changed."""
    said = " ".join(weekly_page.split())
    assert "From 26 October 2026: labeller local-2-77b0d1 after local-1-3f9a2c (" in said


def test_each_word_is_linked_where_it_is_first_used(page: str) -> None:
    """A reader meets "withheld" in Figure 1; what it means must not be found by chance at the foot of the page."""
    linked = re.findall(r'<a class="word" href="#(word-[a-z-]+)">([^<]+)</a>', page)
    assert len(linked) == len({anchor for anchor, _ in linked}) >= 9
    first = page.index('<section id="prevalence"')
    for anchor, text in (
        ("word-denominator", "Denominator"),
        ("word-suppressed", "Withheld"),
        ("word-labeller", "Labelled by"),
    ):
        assert first < page.index(f'href="#{anchor}">{text}<') < page.index('<section id="topics"')
    words = {entry.anchor for entry in of_the_report()}
    assert {anchor for anchor, _ in linked} <= words and all(f'<dt id="{w}">' in page for w in words)


def test_linking_words_lets_nothing_through() -> None:
    """The filter makes markup out of text: it must not make any of what it was given."""
    link = FirstUses([Entry("cell", "A row.", report=["cells"])])
    said = str(link('<b onclick="x">Cells</b> & a cell'))
    assert said == '&lt;b onclick=&#34;x&#34;&gt;<a class="word" href="#word-cell">Cells</a>&lt;/b&gt; &amp; a cell'
    assert link("excellent cells") == "excellent cells"
