"""Homes filled in every store within a second or two, and looking at everything that they hold.

Lives here: what a run would leave (lake, labels, caches, ledger, topics, warehouse, marks), made from the same landing
by the same writers but without models and dbt. Not here: what is expected of it; homes made by real runs (`homes.py`).
"""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.classifiers.cache import AnswerCache, VectorCache
from dagster_project.codebook.loader import load_codebook
from dagster_project.coding.importing import import_answers
from dagster_project.coding.questions import coded_facets
from dagster_project.coding.tasks import write_tasks
from dagster_project.days import Marks, labels_digest
from dagster_project.domain.conversations import Conversation
from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.domain.periods import PeriodKind, period_of
from dagster_project.erasing.traces import embedded_texts
from dagster_project.home import Home
from dagster_project.intake import IntakeReport, ingest
from dagster_project.labelling import answer_counts, conversations_of_day, label_frame
from dagster_project.setting_up import create_home
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.storage.landing import Landing, assemble_day
from dagster_project.storage.pseudonyms import Pseudonyms
from dagster_project.workspace import Workspace
from tests.support.conversations import KEY, NOW, write_lines

AT = datetime(2026, 11, 1, tzinfo=UTC)
PROMPT = "0" * 16
LABELLER = "local-1-abcdef"


class OneNumber:
    """An embedder whose vectors are made from the text's own bytes: what is left of a vector can be looked for."""

    name = "of-bytes"
    dimension = 384

    def embed(self, texts: Sequence[str]) -> Any:
        import hashlib

        import numpy as np

        def vector(text: str) -> Any:
            raw = b"".join(hashlib.sha256(f"{i}{text}".encode()).digest() for i in range(24))
            return np.frombuffer(raw, dtype=np.uint8)[:384].astype(np.float32)

        return np.stack([vector(t) for t in texts]) if texts else np.zeros((0, 384), dtype=np.float32)


def empty_home(root: Path, key: bytes = KEY) -> Home:
    """A home made as `confide init` does, with a fixed key."""
    home = Home(root)
    create_home(home)
    home.key_file.write_bytes(key)
    return home


def take(home: Home, rows: Iterable[Any], name: str = "logs.jsonl", now: datetime = NOW) -> IntakeReport:
    """Ingest some records from a file beside the home."""
    return ingest(home, [write_lines(home.root.parent / f"{home.root.name}-{name}", rows)], now=now)


def filled_home(root: Path, rows: Iterable[Any], key: bytes = KEY, ledger: bool = True) -> Home:
    """A home in which these records went the whole way."""
    home = empty_home(root, key)
    take(home, rows)
    fill(home, ledger)
    return home


def copy_of(home: Home, root: Path) -> Home:
    """The same home elsewhere."""
    shutil.copytree(home.root, root, symlinks=True)
    return Home(root)


def fill(home: Home, ledger: bool = True) -> None:
    """Bring every store to what has landed, as a run does."""
    lake, landing = Lake(home), Landing(home)
    for day in landing.days():
        assembled = assemble_day(landing, day)
        lake.write("messages", day, assembled.messages, assembled.about)
        lake.write("conversations", day, assembled.conversations, assembled.about)
        _fill_labels(home, lake, day, assembled.about["inputs"])
    _fill_caches(home, landing, ledger)
    _fill_topics(lake, landing.days())
    _fill_warehouse(home, lake, landing.days())
    workspace, marks = Workspace.open(home.root), Marks(home)
    for day in landing.days():
        digest = labels_digest(workspace, day)
        assert digest is not None
        marks.write(day, digest)
    for week in weeks(landing.days()):
        marks.write(week, "f" * 64)


def weeks(days: Iterable[date]) -> list[str]:
    """The ISO weeks of some days, by key."""
    return sorted({period_of(day, PeriodKind.WEEK).key for day in days})


def answer_of(content_hash: str) -> Answer:
    """An answer that a content alone decides."""
    return Answer(Status.OK, (Value("coaching" if int(content_hash[-1], 16) % 2 else "companionship", 0.75),))


def _fill_labels(home: Home, lake: Lake, day: date, inputs: str) -> None:
    keyed = conversations_of_day(lake, day)
    for table, facet, about in (
        ("screen_labels", "affective_type", f"{inputs}:aaaaaaaaaaaaaaaa"),
        ("detail_labels", "pushback", f"{inputs}:aaaaaaaaaaaaaaaa:bbbbbbbbbbbbbbbb"),
    ):
        rows = [
            {
                "conversation_key": one.conversation.conversation_id,
                "facet": facet,
                "facet_version": 1,
                "status": "ok",
                "value_index": 0,
                "value": "coaching",
                "number": None,
                "score": 0.75,
                "message_index": None,
                "weight": 1.0,
                "labeller": LABELLER,
                "prompt_hash": PROMPT,
                "labelled_at": AT,
            }
            for one in keyed
        ]
        frame = label_frame(rows)
        lake.write(table, day, frame, {"inputs": about, "labels": str(sum(answer_counts(frame).values()))})
    said = [
        {
            "conversation_key": one.conversation.conversation_id,
            "facet": "topic_description",
            "facet_version": 1,
            "text": f"about {one.conversation.messages[0].content[:60]}",
            "labeller": LABELLER,
            "prompt_hash": PROMPT,
            "labelled_at": AT,
        }
        for one in keyed
    ]
    frame = pl.DataFrame(said, schema=TABLES["descriptions"], orient="row").sort("conversation_key", "facet")
    lake.write("descriptions", day, frame)
    _fill_coding(home, lake, day, [one.conversation for one in keyed])


def _fill_coding(home: Home, lake: Lake, day: date, conversations: Sequence[Conversation]) -> None:
    """Everybody was shown to coders, and two of them answered."""
    items = {hashlib.md5(c.conversation_id.encode()).hexdigest()[:12]: c for c in conversations}
    drawn = [(c.conversation_id, f"{day}..{day}", item, "none", 0.5) for item, c in items.items()]
    frame = pl.DataFrame(drawn, schema=TABLES["human_samples"], orient="row").sort("conversation_key")
    lake.write("human_samples", day, frame, {"sample_id": f"{day}..{day}"})
    facets = coded_facets(load_codebook())
    folder = write_tasks(home, f"{day}..{day}", facets, items, {"sample_id": f"{day}..{day}"})
    answers = [f"{item},{who},no,coaching,none" for item in items for who in ("a", "b")]
    filled = "\n".join(["item_id,coder,content_creation,affective_type,pushback", *answers])
    (home.root.parent / "answers.csv").write_text(filled + "\n")
    import_answers(Workspace.open(home.root), home.root.parent / "answers.csv")
    assert (folder / "tasks.csv").exists()


def versions(landing: Landing) -> Iterator[tuple[Any, str]]:
    """Every version of every conversation that landed, with its content hash."""
    import pyarrow.parquet as pq

    from dagster_project.erasing.traces import _conversation

    for name in landing.part_names():
        for row in pq.ParquetFile(landing.root / name).read().to_pylist():
            yield _conversation(row), row["content_hash"]


def vector_cache(home: Home) -> VectorCache:
    """The home's vectors, with an embedder that needs no model."""
    keyed = Pseudonyms(home.key()).content
    return VectorCache(OneNumber(), home.cache / "vectors.sqlite", lambda text: keyed([text]))


def described(content_hash: str) -> str:
    """What a labeller said of a content."""
    return f"described {content_hash}"


def _fill_caches(home: Home, landing: Landing, ledger: bool) -> None:
    facet = load_codebook()["affective_type"]
    answers, vectors = AnswerCache(home.cache / "answers.sqlite"), vector_cache(home)
    found = list(versions(landing))
    for conversation, content_hash in found:
        answers.add({content_hash: answer_of(content_hash)}, facet, LABELLER, PROMPT, AT)
        vectors.embed(sorted(embedded_texts(conversation)))
        vectors.embed_cached([described(content_hash)], [content_hash], f"{LABELLER}/{PROMPT}")
    if ledger:
        with Workspace.open(home.root).ledger as open_ledger:
            hashes = {open_ledger.content(conversation) for conversation, _ in found}
            open_ledger.answers.add({h: answer_of(h) for h in hashes}, facet, LABELLER, PROMPT, AT)


def _fill_topics(lake: Lake, days: Sequence[date]) -> None:
    for week in weeks(days):
        keys = [
            key
            for day in days
            if period_of(day, PeriodKind.WEEK).key == week
            for key in lake.read("conversations", day)["conversation_key"].to_list()
        ]
        assigned = [(key, "coaching", "topic-abc", 0.25) for key in sorted(keys)]
        topics = [("coaching", "topic-abc", None, 0, "plans and work")]
        lake.write("topic_assignments", week, pl.DataFrame(assigned, schema=TABLES["topic_assignments"], orient="row"))
        lake.write("topics", week, pl.DataFrame(topics, schema=TABLES["topics"], orient="row"))


def _fill_warehouse(home: Home, lake: Lake, days: Sequence[date]) -> None:
    """Tables of the same kinds as dbt's: by day, by period with and without pseudonyms, a view, a constraint."""
    import duckdb

    with duckdb.connect(str(home.warehouse)) as db:
        db.execute("create schema staging; create schema intermediate; create schema marts")
        db.execute("create table intermediate.int_conversations (day date, conversation_key varchar, user_key varchar)")
        db.execute("create table intermediate.int_types (day date, conversation_key varchar, affective_type varchar)")
        db.execute(
            "create table intermediate.int_counted "
            "(period_key varchar, day date, conversation_key varchar, user_key varchar)"
        )
        db.execute("create table marts.mart_prevalence (period_key varchar not null, n_users bigint not null)")
        db.execute("create view staging.stg_days as select distinct day from intermediate.int_conversations")
        for day in days:
            week = period_of(day, PeriodKind.WEEK).key
            for key, user in lake.read("conversations", day).select("conversation_key", "user_key").iter_rows():
                db.execute("insert into intermediate.int_conversations values (?, ?, ?)", [day, key, user])
                db.execute("insert into intermediate.int_types values (?, ?, 'coaching')", [day, key])
                db.execute("insert into intermediate.int_counted values (?, ?, ?, ?)", [week, day, key, user])
        db.execute(
            "insert into marts.mart_prevalence select period_key, count(distinct user_key) "
            "from intermediate.int_counted group by all"
        )
    home.warehouse.chmod(0o600)


def contents(home: Home) -> dict[str, Any]:
    """Everything that is kept of conversations: bytes of landing and lake, rows of the databases, marks."""
    import duckdb

    kept: dict[str, Any] = {}
    for folder in (home.landing, home.lake, home.private / "marks"):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            kept[str(path.relative_to(home.root))] = path.read_bytes()
    refused = [(path.parent.name, one) for path in home.quarantine.glob("*/*") for one in lines_of(path)]
    kept["quarantine"] = sorted((reason, one.get("original", one.get("original_base64"))) for reason, one in refused)
    for name in ("answers", "vectors"):
        kept[name] = rows_of(home.cache / f"{name}.sqlite", name)
    for name in ("conversations", "earlier_versions", "parts"):
        kept[f"index {name}"] = rows_of(home.ingest_index, name)
    if home.request_ledger.exists():
        kept["ledger answers"] = len(rows_of(home.request_ledger, "answers"))
    with duckdb.connect(str(home.warehouse), read_only=True) as db:
        tables = db.execute("select schema_name, table_name from duckdb_tables() order by all").fetchall()
        for schema, table in tables:
            rows = db.execute(f'select * from "{schema}"."{table}" order by all').fetchall()
            kept[f"warehouse {schema}.{table}"] = rows
    return kept


def rows_of(database: Path, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table of a SQLite file, in order."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as db:
        return sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)


def every_file(home: Path) -> list[Path]:
    """Every file of a home, but for the keys."""
    return [p for p in sorted(home.rglob("*")) if p.is_file() and not p.is_symlink() and p.suffix != ".key"]


def exported(rows: Iterable[dict[str, Any]], path: Path) -> Path:
    """The same conversations in the other form that is read: a Parquet table."""
    columns = ("conversation_id", "user_id", "started_at", "surface", "messages")
    pl.DataFrame([{c: row[c] for c in columns} for row in rows], infer_schema_length=None).write_parquet(path)
    return path


def uncompressed(home: Home) -> None:
    """Write every Parquet file and the warehouse again without compression: what a byte scan sees is all there is."""
    import duckdb
    import pyarrow.parquet as pq

    for path in home.root.rglob("*.parquet"):
        table = pq.ParquetFile(path).read()
        pq.write_table(table, path, compression="none", use_dictionary=False)
    if home.warehouse.exists():
        fresh = home.warehouse.with_name("fresh.duckdb")
        with duckdb.connect(":memory:") as db:
            db.execute("set force_compression = 'uncompressed'")
            db.execute(f"attach '{home.warehouse}' as old")
            db.execute(f"attach '{fresh}' as fresh")
            db.execute("copy from database old to fresh")
        fresh.replace(home.warehouse)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]
