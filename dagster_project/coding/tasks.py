"""What coders see: conversations and questions, as a table and as Label Studio tasks; never a prediction.

Lives here: writing the files of a sample into the private zone, and taking conversations out of them again. Not here:
who is drawn (`sample.py`), reading answers (`answers.py`).
"""

import csv
import io
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from dagster_project.codebook.schema import Facet
from dagster_project.coding.questions import is_several, may_be_left_out, options
from dagster_project.domain.conversations import Conversation, Role
from dagster_project.home import Home
from dagster_project.storage.files import private_folder, replacing

TABLE, STUDIO, CONFIG, MANIFEST = "tasks.csv", "label_studio.json", "label_studio.xml", "manifest.json"
SPOKEN = {Role.USER: "Human", Role.ASSISTANT: "Assistant", Role.SYSTEM: "System", Role.TOOL: "Tool"}


def folder_of(home: Home, sample_id: str) -> Path:
    """Where the files of a sample lie (0700; the files 0600)."""
    return home.coding / sample_id


def write_tasks(
    home: Home,
    sample_id: str,
    facets: Sequence[Facet],
    conversations: Mapping[str, Conversation],
    manifest: Mapping[str, Any],
) -> Path:
    """Write everything that coding a sample needs; conversations by item id. Items are in the order of their ids."""
    folder = private_folder(folder_of(home, sample_id))
    _write(folder / TABLE, _table(facets, conversations))
    _write(folder / STUDIO, json.dumps(_studio_tasks(conversations), ensure_ascii=True, indent=1) + "\n")
    _write(folder / CONFIG, _studio_config(facets))
    _write(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return folder


def remove_items(home: Home, items: Collection[str]) -> int:
    """Take conversations out of the files of every sample; how many were in them. A sample without any is removed."""
    gone = 0
    for folder in sorted(p for p in home.coding.glob("*") if p.is_dir()) if items and home.coding.exists() else ():
        table, studio = folder / TABLE, folder / STUDIO
        if table.exists():
            rows = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8"), newline="")))
            left = [row for row in rows if not row or row[0] not in items]
            if len(left) < len(rows):
                gone += len(rows) - len(left)
                _write(table, _csv(left))
        if studio.exists():
            tasks = json.loads(studio.read_text(encoding="utf-8"))
            kept = [task for task in tasks if task["data"]["item_id"] not in items]
            if len(kept) < len(tasks):
                _write(studio, json.dumps(kept, ensure_ascii=True, indent=1) + "\n")
                if not kept:
                    remove_sample(home, folder.name)
    return gone


def remove_sample(home: Home, sample_id: str) -> None:
    """Remove the files of a sample."""
    shutil.rmtree(folder_of(home, sample_id), ignore_errors=True)


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        # Lone surrogates are what some logs hold: coders see a question mark, and nothing stops.
        temporary.write_text(text.encode("utf-8", "replace").decode(), encoding="utf-8", newline="")


def _table(facets: Sequence[Facet], conversations: Mapping[str, Conversation]) -> str:
    rows = [["item_id", "conversation", "coder", *(f.id for f in facets)]]
    rows += [
        # It begins with who speaks, so that no spreadsheet takes it for a formula.
        [item, "\n\n".join(f"{who}: {text}" for who, text in _said(conversations[item])), "", *("" for _ in facets)]
        for item in sorted(conversations)
    ]
    return _csv(rows)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _said(conversation: Conversation) -> Iterator[tuple[str, str]]:
    for message in conversation.messages:
        yield SPOKEN[message.role], message.content.replace("\x00", "")


def _studio_tasks(conversations: Mapping[str, Conversation]) -> list[dict[str, Any]]:
    return [
        {
            "data": {
                "item_id": item,
                "dialogue": [{"author": who, "text": text} for who, text in _said(conversations[item])],
            }
        }
        for item in sorted(conversations)
    ]


def _studio_config(facets: Sequence[Facet]) -> str:
    lines = ["<View>", '  <Paragraphs name="dialogue" value="$dialogue" layout="dialogue" />']
    for facet in facets:
        choice = "multiple" if is_several(facet) else "single"
        lines.append(f"  <Header value={quoteattr(facet.question)} />")
        must = "false" if may_be_left_out(facet) else "true"
        lines.append(f'  <Choices name="{facet.id}" toName="dialogue" choice="{choice}" required="{must}">')
        lines += [f'    <Choice value="{name}" hint={quoteattr(meaning)} />' for name, meaning in options(facet)]
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>", ""])
