"""Samples for coders and their answers: what they see must not lead them, and what they say must not be lost or bent."""

import csv
import json
import stat
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.codebook.loader import shipped_codebook
from dagster_project.coding.answers import read_answers
from dagster_project.coding.exporting import export_sample, forget_unfinished
from dagster_project.coding.importing import import_answers
from dagster_project.coding.questions import CodingError, coded_facets
from dagster_project.coding.sample import stratum_of
from dagster_project.domain.labels import Status
from dagster_project.home import Home
from dagster_project.storage.lake import Lake
from dagster_project.workspace import Workspace
from tests.support.conversations import record, turns
from tests.support.erasable import empty_home, take
from tests.support.label_days import label_days

CANARY = "=Canary-Margarethe 0171"
DAYS = (date(2026, 10, 5), date(2026, 10, 6))
FACETS = coded_facets(shipped_codebook())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Sixty conversations on two days, labelled."""
    rows = [
        record(
            f"c{i}",
            user_id=f"u{i % 25}",
            started_at=f"2026-10-0{5 + i % 2}T09:00:00Z",
            messages=turns(f"{CANARY} {i}", "well"),
        )
        for i in range(60)
    ]
    home = empty_home(tmp_path / "home")
    take(home, rows)
    label_days(home)
    return home


def exported(home: Home, **given: Any) -> tuple[dict[str, Any], list[dict[str, str]]]:
    told = export_sample(Workspace.open(home.root), **given)
    with (Path(told["path"]) / "tasks.csv").open(newline="", encoding="utf-8") as file:
        return told, list(csv.DictReader(file))


def answer(home: Home, rows: list[dict[str, str]], name: str = "answers.csv") -> Path:
    file = home.root.parent / name
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(
            out, ["item_id", "coder", "content_creation", "affective_type", "pushback"], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_tasks_are_private_and_show_no_prediction(home: Home) -> None:
    """A coder who sees the label, the score or the stratum agrees with it."""
    told, rows = exported(home, size=20)
    folder = Path(told["path"])
    assert folder.is_relative_to(home.private) and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    assert len(rows) == 20 and list(rows[0]) == [
        "item_id",
        "conversation",
        "coder",
        "content_creation",
        "affective_type",
        "pushback",
    ]
    assert all(row["conversation"].startswith(f"Human: {CANARY}") for row in rows)
    assert all(not row[name] for row in rows for name in ("coder", "content_creation", "affective_type", "pushback"))
    studio = json.loads((folder / "label_studio.json").read_text())
    assert {json.dumps(sorted(task["data"])) for task in studio} == {'["dialogue", "item_id"]'}
    keys = set(Lake(home).read("conversations", DAYS[0])["conversation_key"])
    shown = (folder / "tasks.csv").read_text() + (folder / "label_studio.json").read_text()
    assert not any(key in shown for key in keys) and "unsure" not in shown
    assert [row["item_id"] for row in rows] == sorted(row["item_id"] for row in rows), "in no order that tells"


def test_the_design_is_kept_and_adds_up(home: Home) -> None:
    """Weights that do not add up to the days bias every corrected figure."""
    told, _ = exported(home, size=20)
    manifest = json.loads((Path(told["path"]) / "manifest.json").read_text())
    assert CANARY not in json.dumps(manifest)
    assert sum(s["conversations"] for s in manifest["strata"]) == told["of_conversations"] == 60
    assert sum(s["drawn"] for s in manifest["strata"]) == 20
    drawn = pl.concat([Lake(home).read("human_samples", day) for day in DAYS])
    assert (1 / drawn["inclusion_probability"]).sum() == pytest.approx(60)


def test_no_day_is_in_two_samples(home: Home) -> None:
    """A conversation of two samples has an inclusion probability that nobody knows."""
    exported(home, size=5, first=DAYS[0], last=DAYS[0])
    with pytest.raises(CodingError, match="in a sample already"):
        exported(home, size=5, first=DAYS[0], last=DAYS[1])
    assert exported(home, size=5)[0]["days"] == ["2026-10-06"]
    with pytest.raises(CodingError, match="all 2 labelled days are in a sample already"):
        exported(home, size=5)


def test_a_sample_that_was_cut_short_is_forgotten(home: Home) -> None:
    """Killed between drawing and writing: the days must not be lost to every later sample, nor text left behind."""
    told, _ = exported(home, size=5)
    (Path(told["path"]) / "manifest.json").unlink()
    forget_unfinished(Workspace.open(home.root))
    assert not Path(told["path"]).exists() and Lake(home).days("human_samples") == []
    assert exported(home, size=5)[0]["days"] == ["2026-10-05", "2026-10-06"]


def test_answers_come_back_once(home: Home) -> None:
    """The same file twice changes no byte; a coder's later answer takes the place of the earlier one."""
    _, rows = exported(home, size=20)
    for row in rows:
        row.update(coder="c1", content_creation="no", affective_type="coaching; companionship", pushback="none")
    file = answer(home, rows)
    workspace = Workspace.open(home.root)
    told = import_answers(workspace, file)
    assert (told.accepted, told.conversations, told.coders, dict(told.problems)) == (60, 20, 1, {})
    before = contents_of_lake(home)
    import_answers(workspace, file)
    assert contents_of_lake(home) == before
    rows[0].update(affective_type="none")
    import_answers(workspace, answer(home, rows[:1]))
    labels = pl.concat([workspace.lake.read("human_labels", day) for day in DAYS])
    assert labels.filter((pl.col("facet") == "affective_type") & pl.col("value").is_null()).height == 1
    assert labels.filter(pl.col("facet") == "affective_type").height == 2 * 19 + 1


def contents_of_lake(home: Home) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(home.lake.rglob("*.parquet"))}


def test_two_coders_and_an_adjudicator(home: Home) -> None:
    """Half against half is nobody's answer, until somebody is asked to decide."""
    _, rows = exported(home, size=6)
    both = [
        {**row, "coder": who, "content_creation": "no", "affective_type": "none", "pushback": ""}
        for row in rows
        for who in ("c1", "c2")
    ]
    both[1]["content_creation"] = "yes"
    workspace = Workspace.open(home.root)
    told = import_answers(workspace, answer(home, both))
    assert told.resolved == {"agreed": 11, "disputed": 1}
    assert told.alpha["content_creation"] is not None and told.alpha["content_creation"]["value"] < 1
    decided = [{"item_id": rows[0]["item_id"], "coder": "adjudicator", "content_creation": "yes"}]
    assert import_answers(workspace, answer(home, decided)).resolved["adjudicator"] == 1


def test_what_cannot_be_used_is_counted_and_never_quoted(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    _, rows = exported(home, size=6)
    item = rows[0]["item_id"]
    bad = [
        {"item_id": CANARY, "coder": "c1", "content_creation": "no"},
        {"item_id": item, "coder": CANARY, "content_creation": "no"},
        {"item_id": item, "coder": "c1", "content_creation": CANARY},
        {"item_id": item, "coder": "c1", "content_creation": "yes; no"},
        {"item_id": item, "coder": "c1", "affective_type": "none; coaching"},
        {"item_id": item, "coder": "c1"},
        {"item_id": item, "coder": "c2", "content_creation": "No"},
    ]
    told = import_answers(Workspace.open(home.root), answer(home, bad))
    assert dict(told.problems) == {
        "unknown_item": 1, "coder_name": 1, "unknown_category": 1, "contradictory_answer": 2, "not_answered": 1,
    }  # fmt: skip
    assert told.accepted == 1 and CANARY not in json.dumps(told.as_json())
    with pytest.raises(CodingError) as error:
        import_answers(Workspace.open(home.root), answer(home, bad[:1]))
    assert "1 unknown item" in str(error.value) and CANARY not in str(error.value)
    for text in ("", "a,b\n1,2\n", '[{"data": ', "\x00\xff"):
        file = home.root.parent / "bad"
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(CodingError):
            import_answers(Workspace.open(home.root), file)


def test_label_studio_s_export_is_read(tmp_path: Path) -> None:
    """Annotators by number: names and addresses of staff stay out."""

    def choice(name: str, *chosen: str) -> dict[str, Any]:
        return {"from_name": name, "type": "choices", "value": {"choices": list(chosen)}}

    tasks = [
        {
            "data": {"item_id": "0123456789ab"},
            "annotations": [
                {
                    "completed_by": 3,
                    "result": [choice("content_creation", "no"), choice("affective_type", "coaching", "companionship")],
                },
                {"completed_by": {"id": 4, "email": CANARY}, "result": [choice("content_creation", "could_not_tell")]},
                {"completed_by": 5, "was_cancelled": True, "result": []},
            ],
        },
        {"data": {}},
    ]
    file = tmp_path / "studio.json"
    file.write_text(json.dumps(tasks))
    read = read_answers(file, FACETS)
    assert {k: (v.status, sorted(v.values)) for k, v in read.answers.items()} == {
        ("0123456789ab", "annotator-3", "content_creation"): (Status.OK, []),
        ("0123456789ab", "annotator-3", "affective_type"): (Status.OK, ["coaching", "companionship"]),
        ("0123456789ab", "annotator-4", "content_creation"): (Status.COULD_NOT_TELL, []),
    }
    assert dict(read.problems) == {"unreadable_row": 1}


@pytest.mark.parametrize(
    ("rows", "n_human", "expected"),
    [
        ([], 3, "unknown"),
        ([("content_creation", "ok", "content_creation", 0.95)], 3, "content_creation/sure"),
        ([("content_creation", "ok", None, None), ("affective_type", "could_not_tell", None, None)], 3, "unknown"),
        ([("content_creation", "ok", None, None), ("affective_type", "ok", None, None)], 3, "none"),
        (
            [
                ("content_creation", "ok", None, None),
                ("affective_type", "ok", "coaching", 0.9),
                ("affective_type", "ok", "companionship", 0.5),
                ("pushback", "ok", "refusal", 0.9),
            ],
            3,
            "companionship/unsure/pushback",
        ),
        (
            [
                ("content_creation", "ok", None, None),
                ("affective_type", "ok", "sexual_roleplay", None),
                ("pushback", "ok", None, None),
            ],
            9,
            "sexual_roleplay",
        ),
    ],
)
def test_the_rarest_type_decides_the_stratum(rows: list[tuple[Any, ...]], n_human: int, expected: str) -> None:
    assert stratum_of(rows, n_human) == expected


def test_what_has_no_answer_a_coder_could_give_is_refused() -> None:
    with pytest.raises(CodingError, match="topic_description: not asked of coders"):
        coded_facets(shipped_codebook(), ["topic_description"])


def test_tone_is_coded_message_by_message_and_comes_back(home: Home) -> None:
    """Prevents a coder's tone of the last message from counting as that of the first, or blanks as neutral."""
    questions = coded_facets(shipped_codebook(), ["sentiment"])
    ids = [f"sentiment_{n}" for n in range(1, 7)]
    assert [q.id for q in questions] == ids
    assert "their first message?" in questions[0].question and "their last message?" in questions[5].question
    told, rows = exported(home, size=8, facets=["content_creation", "sentiment"])
    assert list(rows[0])[3:] == ["content_creation", *ids]
    config = (Path(told["path"]) / "label_studio.xml").read_text()
    assert config.count('required="false"') == 6 and config.count('required="true"') == 1
    file = home.root.parent / "tones.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["item_id", "coder", *ids])
        for n, row in enumerate(rows):
            tones = ["negative"] * 5 + ["very_positive"] if n < 4 else [""] * 6
            writer.writerow([row["item_id"], "ada", *tones])
            writer.writerow([row["item_id"], "ben", *["neutral", *tones[1:]]] if n < 4 else [row["item_id"], "ben"])
    workspace = Workspace.open(home.root)
    imported = import_answers(workspace, file)
    assert (imported.accepted, dict(imported.problems)) == (48, {"not_answered": 8})
    labels = pl.concat([workspace.lake.read("human_labels", day) for day in DAYS])
    assert set(labels.filter(facet="sentiment_6")["value"]) == {"very_positive"}
    assert set(labels.filter(facet="sentiment_2")["value"]) == {"negative"}
    assert set(labels.filter(facet="sentiment_1")["status"]) == {"could_not_tell"}, "two who disagree decide nothing"
    assert imported.alpha["sentiment_1"] is not None and imported.alpha["sentiment_1"]["value"] < 0.1


def test_nothing_of_a_home_changes_but_for_the_sample(home: Home) -> None:
    """Exporting is reading: the labels of no day may become stale by it."""
    before = contents_of_lake(home)
    exported(home, size=10)
    after = contents_of_lake(home)
    assert {n: after[n] for n in before} == before
    assert {Path(n).parts[-3] for n in after.keys() - before.keys()} == {"human_samples"}
