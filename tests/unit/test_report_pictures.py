"""Each chart as files: alone on a slide it says what it is of, and its rows are published rows and no others."""

import re
import zlib
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
import vl_convert

from dagster_project.report import page, pictures
from dagster_project.report.figures.context import file_name
from dagster_project.report.svg import LIGHT
from tests.support.published_tables import manifest_of, weekly_tables, window_tables, with_human_labels

REAL = vl_convert.svg_to_png
NOTICE = "Synthetic conversations, made by a program."
STYLE = (Path(page.__file__).parent / "style.css").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"
Files = dict[str, str | bytes | pl.DataFrame]


@pytest.fixture(scope="module", autouse=True)
def _quick_pictures() -> object:
    """PNG is the renderer's, and slow: one test draws one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vl_convert.svg_to_png", lambda svg, scale: PNG)
        yield


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


PIXELS = zlib.compress(b"\0\1\2\3" * 50, 1)
PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    _chunk(kind, body)
    for kind, body in ((b"IHDR", b"x" * 13), (b"IDAT", PIXELS[:9]), (b"IDAT", PIXELS[9:]), (b"IEND", b""))
)


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    window, weekly = window_tables(), weekly_tables()
    return {name: pl.concat([weekly[name], window[name]], how="vertical_relaxed") for name in window}


@pytest.fixture(scope="module")
def files(tables: dict[str, pl.DataFrame]) -> Files:
    return page.files(tables, manifest_of(tables), notice=NOTICE)


def svgs(files: Files) -> dict[str, ElementTree.Element]:
    return {
        name: ElementTree.fromstring(text)
        for name, text in files.items()
        if isinstance(text, str) and name.endswith(".svg")
    }


def same(one: str | bytes | pl.DataFrame, other: str | bytes | pl.DataFrame) -> bool:
    return one.equals(other) if isinstance(one, pl.DataFrame) and isinstance(other, pl.DataFrame) else one == other


def test_the_page_links_to_every_file_and_to_no_other(files: Files) -> None:
    """A link to nothing is a broken promise; a file without a link is found by nobody."""
    html = files[page.PAGE]
    assert isinstance(html, str)
    linked = re.findall(r'href="(figures/[^"]+)"', html)
    assert sorted(linked) == sorted(set(files) - {page.PAGE}) and len(linked) > 60
    assert all(re.fullmatch(r"figures/[a-z0-9-]+\.(svg|png|csv)", name) for name in linked)


def test_the_rows_of_a_chart_are_published_rows_of_one_table(files: Files, tables: dict[str, pl.DataFrame]) -> None:
    """A file of numbers beside a picture is a second way out: what is not in the tables must not be in it."""
    found = {name: rows for name, rows in files.items() if isinstance(rows, pl.DataFrame)}
    for name, rows in found.items():
        of = [table for table, frame in tables.items() if frame.schema == rows.schema]
        assert len(of) == 1, name
        published = set(tables[of[0]].iter_rows())
        assert rows.height and set(rows.iter_rows()) <= published, name
        assert len(set(rows.iter_rows())) == rows.height, name


def test_the_rows_of_a_chart_are_those_that_it_draws(files: Files) -> None:
    """Rows beside the drawn ones would be taken for drawn; too few could not be checked against the picture."""
    said = {name: svg.findtext(f"{SVG}desc") or "" for name, svg in svgs(files).items()}
    for name in (
        "prevalence",
        "prevalence-funnel",
        "pushback",
        "sentiment",
        "use",
        "use-long",
        "topics-coaching",
        "drift-moved",
    ):
        rows = files[f"figures/{name}.csv"]
        assert isinstance(rows, pl.DataFrame) and len(said[f"figures/{name}.svg"].split("; ")) == rows.height, name
    kinds, trend = files["figures/pushback-kinds.csv"], files["figures/prevalence-trend.csv"]
    assert isinstance(kinds, pl.DataFrame) and isinstance(trend, pl.DataFrame)
    assert set(kinds["position"]) == {"any"} and "any" not in set(kinds["kind"])
    assert set(trend["period_kind"]) == {"week"} and set(trend.group_by("category").len()["len"]) == {8}


def test_a_number_left_in_a_withheld_row_is_in_no_file(tables: dict[str, pl.DataFrame], files: Files) -> None:
    """Should a mistake elsewhere leave a number in a withheld row, these files must not be what tells it."""
    leaky = {
        **tables,
        "pushback": tables["pushback"].with_columns(rate=pl.when("suppressed").then(0.7777).otherwise("rate")),
    }
    again = page.files(leaky, manifest_of(leaky), notice=NOTICE)
    assert [name for name in files if not same(again[name], files[name])] == []


def test_a_picture_alone_says_that_it_is_synthetic_and_of_what(files: Files) -> None:
    """On somebody's slide there is no page around it: invented data must not become a finding there."""
    for name, svg in svgs(files).items():
        said = " ".join(node.text or "" for node in svg.iter(f"{SVG}text"))
        assert said.startswith(NOTICE) and "2026" in said and "Release 20261121T120000Z-4be1" in said, name
        if name == "figures/prevalence.svg":
            assert "Denominator: about 48,000 counted conversations" in said and "Labelled by: local-1" in said
            assert "Withheld in Figure 1: " in said
        if "trend" in name:
            assert "Denominator" not in said and "Band: 95" in said, "other periods have other denominators"


def test_a_picture_acts_on_nothing_and_wears_the_pages_light_colours(files: Files) -> None:
    """It is opened in browsers and slide programs that have no style sheet of ours and no content policy."""
    for name, svg in svgs(files).items():
        for node in svg.iter():
            assert node.tag.removeprefix(SVG) in {
                "svg",
                "title",
                "desc",
                "rect",
                "g",
                "text",
                "line",
                "path",
                "circle",
            }, name
            assert not [a for a in node.attrib if a.startswith("on") or "href" in a or a in {"class", "style"}]
            assert {node.attrib.get(a, "none") for a in ("fill", "stroke")} <= {*LIGHT.values(), "none"}
    for name, code in LIGHT.items():
        assert re.search(rf"--{name}: (#[0-9a-f]{{6}})", STYLE)[1] == code, "the first value is that of the light theme"  # type: ignore[index]


def test_a_hostile_topic_name_is_only_text_in_a_picture(tables: dict[str, pl.DataFrame]) -> None:
    """Topic names come from what users wrote, and an SVG file can act where a page may not."""
    bad = "</text><script>alert(1)</script>"
    hostile = {**tables, "topics": tables["topics"].with_columns(topic_name=pl.lit(bad))}
    found = page.files(hostile, manifest_of(hostile), notice=bad)
    assert all("<script" not in text for text in found.values() if isinstance(text, str))
    assert not [node for svg in svgs(found).values() for node in svg.iter(f"{SVG}script")]


def test_facets_with_like_ids_do_not_share_files() -> None:
    """Of two charts of one name, one would overwrite the other, and its link would show the wrong numbers."""
    ids = ("facet-a_b", "facet-a__b", "facet-a_b_", "facet-ab")
    assert len({file_name(one) for one in ids}) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", file_name(one)) for one in (*ids, "../A b"))


def test_squeezing_changes_no_pixel() -> None:
    """A smaller file must be the same picture, and one that every program opens."""
    small = pictures.squeezed(PNG)
    assert small.startswith(PNG[:8]) and small.count(b"IDAT") == 1 and small.endswith(_chunk(b"IEND", b""))
    at = small.index(b"IDAT")
    size = int.from_bytes(small[at - 4 : at])
    assert zlib.decompress(small[at + 4 : at + 4 + size]) == zlib.decompress(PIXELS)
    assert small[at - 4 :] == _chunk(b"IDAT", small[at + 4 : at + 4 + size]) + _chunk(b"IEND", b"")


def test_a_real_png_is_sharp_and_small(files: Files) -> None:
    """A blurred picture is not shown; releases are kept for ever, so a heavy one is paid for each day."""
    svg = files["figures/prevalence.svg"]
    assert isinstance(svg, str)
    png = pictures.squeezed(REAL(svg, scale=pictures.SCALE))
    assert int.from_bytes(png[16:20]) >= 1440 and 5_000 < len(png) < 150_000


def test_human_labels_reach_the_files_too(tables: dict[str, pl.DataFrame]) -> None:
    """Corrected shares are columns of the drawn rows: a file without them would hide the error of the instrument."""
    coded = with_human_labels(window_tables())
    rows = page.files(coded, manifest_of(coded))["figures/prevalence.csv"]
    assert isinstance(rows, pl.DataFrame) and rows["corrected_share"].drop_nulls().len() == 1
