"""`confide labels export`: draw a sample, write what coders need, keep who was drawn.

Lives here: the order of things. Who was drawn is kept first, so that no text lies in a file that an erasure would not
find; the manifest is written last, and a sample without one was cut short and is forgotten by the next export. Not
here: strata and choice (`sample.py`), the files (`tasks.py`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from dagster_project.coding.questions import DEFAULT_FACETS, coded_facets
from dagster_project.coding.sample import days_to_sample, design_of, draw_sample, keep_sample
from dagster_project.coding.tasks import MANIFEST, STUDIO, TABLE, folder_of, remove_sample, write_tasks
from dagster_project.labelling import conversations_of_day
from dagster_project.workspace import Workspace

DEFAULT_SIZE = 400


def export_sample(
    workspace: Workspace,
    first: date | None = None,
    last: date | None = None,
    size: int = DEFAULT_SIZE,
    facets: Sequence[str] = DEFAULT_FACETS,
) -> dict[str, Any]:
    """Export a sample of the labelled days in [first, last] that are in no sample yet.

    Returns what `confide labels export --json` prints. Raises CodingError or CodebookError.
    """
    asked = coded_facets(workspace.codebook, facets)
    forget_unfinished(workspace)
    days = days_to_sample(workspace, first, last)
    sample = draw_sample(workspace, days, size)
    items = sample.items
    conversations = {
        items[one.conversation.conversation_id]: one.conversation
        for day in sorted(set(sample.days.values()))
        for one in conversations_of_day(workspace.lake, day, frozenset(k for k, d in sample.days.items() if d == day))
    }
    manifest = {
        "sample_id": sample.sample_id,
        "drawn_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "days": [day.isoformat() for day in days],
        "facets": {f.id: f.version for f in asked},
        "labellers": sorted({workspace.answers(f.stage).labeller for f in asked}),
        "choice": "within each stratum the conversations with the lowest keyed digest; square-root allocation",
        "strata": design_of(sample),
    }
    keep_sample(workspace.lake, sample, days)
    folder = write_tasks(workspace.home, sample.sample_id, asked, conversations, manifest)
    return {
        "sample_id": sample.sample_id,
        "conversations": len(sample.drawn),
        "of_conversations": sum(sample.sizes.values()),
        "strata": len(sample.sizes),
        "days": manifest["days"],
        "path": str(folder),
        "files": [TABLE, STUDIO, MANIFEST],
    }


def forget_unfinished(workspace: Workspace) -> None:
    """Forget samples whose files were never finished, and to which nobody answered: their days are free again."""
    lake = workspace.lake
    days: dict[str, list[date]] = {}
    for day in lake.days("human_samples"):
        days.setdefault((lake.about("human_samples", day) or {}).get("sample_id", ""), []).append(day)
    answered = set(lake.days("coder_answers"))
    for sample_id, own in days.items():
        if not (folder_of(workspace.home, sample_id) / MANIFEST).exists() and not answered & set(own):
            for day in own:
                lake.path("human_samples", day).unlink()
            remove_sample(workspace.home, sample_id)
