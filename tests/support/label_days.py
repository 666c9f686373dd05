"""Labels without a model: days that have landed, as a run with the home's own labeller would mark them."""

from typing import Any

from dagster_project.days import STAGES, instrument
from dagster_project.home import Home
from dagster_project.labelling import answer_counts, label_frame
from dagster_project.storage.landing import Landing, assemble_day
from dagster_project.workspace import Workspace
from tests.support.erasable import AT, LABELLER, PROMPT

TYPES = (None, "coaching", "companionship", None, "psychotherapy_counseling")


def label_days(home: Home) -> None:
    """Every fifth conversation or so of each of some types; sure and unsure ones; pushback in some."""
    workspace, landing = Workspace.open(home.root), Landing(home)
    screen, detail = (instrument(workspace, stage)[1] for stage in STAGES)
    for day in landing.days():
        assembled = assemble_day(landing, day)
        inputs = assembled.about["inputs"]
        workspace.lake.write("messages", day, assembled.messages, assembled.about)
        workspace.lake.write("conversations", day, assembled.conversations, assembled.about)
        screened: list[dict[str, Any]] = []
        detailed: list[dict[str, Any]] = []
        for i, key in enumerate(assembled.conversations["conversation_key"].to_list()):
            found = TYPES[i % len(TYPES)]
            screened += [_row(key, "content_creation", None), _row(key, "affective_type", found, 0.6 + 0.1 * (i % 4))]
            if found:
                detailed.append(_row(key, "pushback", "refusal" if i % 2 else None, 0.9, 1))
        for table, rows, about in (
            ("screen_labels", screened, f"{inputs}:{screen}"),
            ("detail_labels", detailed, f"{inputs}:{screen}:{detail}"),
        ):
            frame = label_frame(rows)
            workspace.lake.write(
                table, day, frame, {"inputs": about, "labels": str(sum(answer_counts(frame).values()))}
            )


def _row(key: str, facet: str, value: str | None, score: float = 0.9, where: int | None = None) -> dict[str, Any]:
    return {
        "conversation_key": key,
        "facet": facet,
        "facet_version": 1,
        "status": "ok",
        "value_index": 0,
        "value": value,
        "number": None,
        "score": None if value is None else score,
        "message_index": None if value is None else where,
        "weight": 1.0,
        "labeller": LABELLER,
        "prompt_hash": PROMPT,
        "labelled_at": AT,
    }
