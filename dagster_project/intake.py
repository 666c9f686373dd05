"""Ingestion: chat logs into landing, under pseudonyms, each conversation once, each refusal counted.

Lives here: the order of the steps and the report. Parts land first, then the index says so: killed at any
point, running it again ends in the same landing. Not here: formats (`sources/`), what is kept and how
(`storage/`), the lake (the assets put days together from landing).
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from dagster_project.domain.conversations import Message
from dagster_project.errors import ConfideError, scrubbed
from dagster_project.home import Home
from dagster_project.settings import TableSettings
from dagster_project.sources import registry
from dagster_project.sources.confide import Options
from dagster_project.sources.mentions import ids_in, ids_in_path
from dagster_project.sources.outcome import Parsed, Reason, Rejected
from dagster_project.sources.places import RemoteFile, files_at, is_address, local_path
from dagster_project.sources.streams import BytesRead
from dagster_project.storage.in_use import in_use
from dagster_project.storage.ingest_index import WAIT_SECONDS, Entry, IngestIndex, Verdict
from dagster_project.storage.landing import Landing
from dagster_project.storage.landing_writer import BUFFER_BYTES, LandingWriter
from dagster_project.storage.pseudonyms import Pseudonyms
from dagster_project.storage.quarantine import Quarantine
from dagster_project.storage.tombstones import Erased, Tombstones

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".csv")
PACKED = ("", ".gz", ".zst")
_READABLE = tuple(suffix + packed for suffix in SUFFIXES for packed in PACKED)

Progress = Callable[[int, int], None]
"""Called with the bytes read and the bytes there are, both as they lie on disk."""
Step = Callable[[str], None]
"""Called when a step is done: `landed day=…/…`, `quarantined`, `indexed`."""

NO_USER_IDS = (
    "no conversation has a user id: all of them together count as one person, so nothing can be published. "
    "Give the logs a user_id (a pseudonym will do) and ingest them into a fresh home"
)


class IntakeError(ConfideError):
    """An ingest that could not start or finish; the message says why. What had landed stays."""


class MissingFileError(IntakeError):
    """A path that is not there; the message names it."""


@dataclass
class IntakeReport:
    """What became of every record of an ingest. accepted + duplicates + replaced + erased + quarantined = total.

    erased: records of people and conversations that were erased, and of times erased by age: they stay out.
    left_out: what accepted and replaced conversations had beside the path that was kept, by `Left`.
    formats: how many files were read in which format, and why in that one.
    """

    accepted: int = 0
    duplicates: int = 0
    replaced: int = 0
    erased: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    days: list[date] = field(default_factory=list)
    assumed_utc: int = 0
    without_user_id: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    formats: dict[tuple[str, str], int] = field(default_factory=dict)
    files: int = 0
    files_passed_over: int = 0

    @property
    def total(self) -> int:
        """Every record seen."""
        return self.accepted + self.duplicates + self.replaced + self.erased + sum(self.quarantined.values())

    @property
    def warnings(self) -> list[str]:
        """What the operator should know now and not at release; empty when all is well."""
        readable = self.accepted + self.duplicates + self.replaced
        warnings = []
        if not self.files:
            warnings.append(
                f"no file was read ({self.files_passed_over:,} of other kinds): in folders, names have to end in "
                f"{', '.join(SUFFIXES)}, packed with .gz or .zst or not"
            )
        strange = sum(n for (_, why), n in self.formats.items() if why == registry.NOT_RECOGNISED)
        if strange and self.quarantined:
            warnings.append(
                f"{strange:,} {'file was' if strange == 1 else 'files were'} of no format that is known: "
                "docs/formats.md lists them; name one with --format, or your own table's columns in [sources.table]"
            )
        if readable and self.without_user_id == readable:
            warnings.append(NO_USER_IDS)
        elif self.without_user_id:
            warnings.append(
                f"{self.without_user_id:,} of {readable:,} conversations have no user id: "
                "together they count as one person"
            )
        if self.assumed_utc:
            warnings.append(f"{self.assumed_utc:,} conversations have no time zone: taken as UTC")
        if untimed := self.quarantined.get(Reason.MISSING_TIME.value):
            warnings.append(
                f"{untimed:,} conversations say no time and were set aside: give the day with --started-at YYYY-MM-DD"
            )
        return warnings

    def as_json(self) -> dict[str, object]:
        """The form of `confide ingest --json`."""
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "replaced": self.replaced,
            "erased": self.erased,
            "quarantined": self.quarantined,
            "days": [day.isoformat() for day in self.days],
            "assumed_utc": self.assumed_utc,
            "without_user_id": self.without_user_id,
            "left_out": self.left_out,
            "formats": [{"format": name, "why": why, "files": n} for (name, why), n in sorted(self.formats.items())],
        }


def ingest(
    home: Home,
    paths: Sequence[Path | str],
    format: str = registry.AUTO,
    progress: Progress | None = None,
    now: datetime | None = None,
    step: Step | None = None,
    buffer_bytes: int = BUFFER_BYTES,
    wait_seconds: float = WAIT_SECONDS,
    started_at: datetime | None = None,
    table: TableSettings | None = None,
) -> IntakeReport:
    """Read chat logs into landing. Records that cannot be used are quarantined, and the others go on.

    paths: files, folders whose readable files are taken in order, and addresses (`s3://…`) of such. now: the clock that
    future dates are measured by. buffer_bytes: memory for rows before they are set aside on disk. started_at: when
    conversations began that say no time themselves. table: the columns of tables. Raises IntakeError, PlaceError,
    UnknownFormatError, NoMappingError, IngestBusyError, HomeError; no message holds a word of a conversation.
    """
    if format != registry.AUTO:
        registry.source_named(format, table)
    files, passed_over = find_files(paths)
    landing, now = Landing(home), now or datetime.now(UTC)
    report, step = IntakeReport(files=len(files), files_passed_over=passed_over), step or _nothing
    with (
        _own_words(),
        in_use(home),
        IngestIndex(home.ingest_index, wait_seconds) as index,
        Quarantine(home) as quarantine,
        LandingWriter(home, landing, buffer_bytes) as writer,
    ):
        catch_up(index, landing)
        # Key and tombstones only now: another may have rotated or erased while this one waited.
        desk = _Desk(Pseudonyms(home.key()), Tombstones(home).read(), index, writer, quarantine, report)
        for file, bytes_read in _files(files, progress):
            with file.at_hand(home.tmp) if isinstance(file, RemoteFile) else nullcontext(file) as path:
                chosen = registry.source_of(path, format, table)
                as_what = (chosen.source.NAME, chosen.why)
                report.formats[as_what] = report.formats.get(as_what, 0) + 1
                options = Options(now=now, started_at=started_at, bytes_read=bytes_read, scratch=home.tmp)
                for record in chosen.source.read(path, **options):
                    desk.take(file.name if isinstance(file, RemoteFile) else file, record)
        names = writer.land(lambda name: step(f"landed {name}"))
        quarantine.keep()
        step("quarantined")
        index.cover(names)
        index.commit()
        step("indexed")
    report.quarantined = dict(sorted(quarantine.counts.items()))
    report.days = sorted({date.fromisoformat(name[4:14]) for name in names})
    return report


def find_files(paths: Iterable[Path | str]) -> tuple[list[Path | RemoteFile], int]:
    """The files to read, and how many of the folders' files are of another kind.

    A file that is named is taken whatever it is called. Raises IntakeError or PlaceError on a path that is not there.
    """
    files: dict[Path | RemoteFile, None] = {}
    passed_over = 0
    for given in paths:
        address = str(given) if isinstance(given, str) and is_address(given) else None
        path = Path(given) if address is None else local_path(address)
        if path is None:
            remote, others = files_at(str(address), _is_readable)
            files.update(dict.fromkeys(remote))
            passed_over += others
        elif path.is_dir():
            inside, others = files_of_folder(path)
            files.update(dict.fromkeys(inside))
            passed_over += others
        elif path.is_file():
            files.setdefault(path)
        elif path.exists():
            # A pipe can be read once, and a file is looked at before it is read.
            raise IntakeError(f"{path}: neither a file nor a folder; save what it gives to a file first")
        else:
            raise MissingFileError(f"{path}: no such file or folder")
    return list(files), passed_over


def files_of_folder(folder: Path) -> tuple[list[Path], int]:
    """Its readable files in order, those of folders in it too, and how many are of another kind; no hidden ones."""
    found = list(_walk(folder))
    readable = [path for path in found if _is_readable(path.name)]
    return readable, len(found) - len(readable)


def _is_readable(name: str) -> bool:
    return name.lower().endswith(_READABLE)


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where, name) for name in sorted(names) if not name.startswith("."))


@contextmanager
def _own_words() -> Iterator[None]:
    """Turn errors of disk and database into IntakeError, and any other into one that cannot carry text."""
    with scrubbed("ingesting"):
        try:
            yield
        except OSError as error:
            raise IntakeError(f"the ingest could not be written: {error.strerror or type(error).__name__}") from None
        except sqlite3.Error as error:
            raise IntakeError(f"the ingest index could not be written: {error}") from None


def _nothing(step: str) -> None:
    """Nobody listens."""


def catch_up(index: IngestIndex, landing: Landing) -> None:
    """Bring the index to what has landed: after a kill between the two, and after parts were removed."""
    landed, covered = landing.part_names(), index.parts()
    if not covered <= set(landed):
        index.clear()
        covered = set()
    missing = [name for name in landed if name not in covered]
    for name in missing:
        index.catch_up(landing.entries(name))
    index.cover(missing)


def _files(
    files: list[Path | RemoteFile], progress: Progress | None
) -> Iterator[tuple[Path | RemoteFile, BytesRead | None]]:
    """Each file, and what is to be told how far reading it is."""
    sizes = [_size(file) for file in files]
    total, done = sum(sizes), 0
    for file, size in zip(files, sizes, strict=True):
        before = done
        bytes_read = (lambda n, before=before: progress(before + n, total)) if progress is not None else None
        yield file, bytes_read
        done += size
        if progress is not None:
            progress(done, total)


def _size(file: Path | RemoteFile) -> int:
    try:
        return file.n_bytes if isinstance(file, RemoteFile) else file.stat().st_size
    except OSError:
        return 0


def names_erased(erased: Erased, pseudonyms: Pseudonyms, file: str, original: bytes) -> bool:
    """Whether a refused record is, as far as it can be told, one of a user or a conversation that was erased."""
    if not (erased.users or erased.conversations):
        return False
    return any(
        pseudonyms.user(found) in erased.users or pseudonyms.conversation(found) in erased.conversations
        for found in ids_in(original) | ids_in_path(file)
    )


class _Desk:
    """Where each record is judged: pseudonyms on, then landing, quarantine or nothing."""

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        erased: Erased,
        index: IngestIndex,
        writer: LandingWriter,
        quarantine: Quarantine,
        report: IntakeReport,
    ) -> None:
        self._pseudonyms, self._erased, self._index, self._writer = pseudonyms, erased, index, writer
        self._quarantine, self._report = quarantine, report

    def take(self, path: Path | str, record: Parsed | Rejected) -> None:
        if isinstance(record, Rejected):
            if names_erased(self._erased, self._pseudonyms, str(path), record.original):
                self._report.erased += 1
                return
            self._quarantine.add(record.reason, path, record.line_number, record.original, record.n_bytes)
            return
        conversation, report = record.conversation, self._report
        messages = conversation.messages
        conversation_key = self._pseudonyms.conversation(conversation.conversation_id)
        user_key = self._pseudonyms.user(conversation.user_id)
        started_at = conversation.started_at
        if record.began_earlier:
            started_at = min(self._index.start_of(conversation_key) or started_at, started_at)
        if self._erased.covers(user_key, conversation_key, started_at):
            report.erased += 1
            return
        entry = Entry(
            conversation_key=conversation_key,
            user_key=user_key,
            started_at=started_at,
            n_messages=len(messages),
            content_hash=self._content_hash(messages),
        )
        verdict = self._index.judge(entry, lambda n: self._content_hash(messages[:n]))
        if verdict is Verdict.CONFLICT:
            self._quarantine.add(Reason.CONFLICT, path, record.line_number, record.original, len(record.original))
            return
        report.assumed_utc += record.assumed_utc
        report.without_user_id += conversation.user_id is None
        if verdict is Verdict.DUPLICATE:
            report.duplicates += 1
            return
        if verdict is Verdict.NEW:
            report.accepted += 1
        else:
            report.replaced += 1
        for what, n in record.left_out.items():
            report.left_out[what.value] = report.left_out.get(what.value, 0) + n
        self._writer.add(
            conversation_key=entry.conversation_key,
            user_key=entry.user_key,
            started_at=entry.started_at,
            assumed_utc=record.assumed_utc,
            surface=conversation.surface,
            content_hash=entry.content_hash,
            messages=messages,
        )

    def _content_hash(self, messages: Sequence[Message]) -> str:
        return self._pseudonyms.content(part for message in messages for part in (message.role.value, message.content))
