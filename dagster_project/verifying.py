"""`confide verify`: every hash of a release checked, and every published number recomputed from the labels of the home.

Lives here: the order of it, which periods can still be recomputed, and what is told of those that cannot. Not here: the
comparison (`domain/recomputation.py`), counting anew (`recounting.py`), the rules (`domain/disclosure/`).

Each release that the ledger has up to the one asked for is made again: its periods' labels are counted anew, go through
the same rules beside the editions that were published before it, and the rows that come out are held against the rows
as published, exactly; bootstrap intervals are seeded and come out the same. Which cells are withheld beside others
depends on all periods of a release: where one of them can be recomputed no more, its companions' visible numbers are
still compared, and of their withheld cells nothing is said. Another version of the solver may choose other cells that
protect as well: then `withheld_otherwise` says so, and no number differs.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import polars as pl

from dagster_project import __version__
from dagster_project.assets.context import Progress
from dagster_project.codebook.cells import cells_of
from dagster_project.days import labels_held_digest, topics_digest
from dagster_project.domain.disclosure.candidates import CandidateError, check_candidates
from dagster_project.domain.disclosure.editions import Edition
from dagster_project.domain.disclosure.primary import primary
from dagster_project.domain.disclosure.suppression import publishable
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.recomputation import (
    DIFFERS,
    EQUAL,
    NOT_RECOMPUTABLE,
    PeriodCheck,
    Row,
    Verification,
    compare,
)
from dagster_project.domain.tables import TABLES, TOPICS
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.methods import definitions_of, digest_of
from dagster_project.policy.loader import Policy
from dagster_project.recounting import Counting, RecountFailed, recounted
from dagster_project.release import Compared, PeriodMetadata, earlier_revisions, published_editions, suppressed_rows
from dagster_project.storage.closed_days import ClosedDays
from dagster_project.storage.contributions import Contributions, NotComparable, changes, contributions_of
from dagster_project.storage.in_use import in_use
from dagster_project.storage.published import Snapshot, SnapshotDamaged, current, damages
from dagster_project.storage.release_ledger import Entry, Ledger, ReleaseRefused
from dagster_project.storage.tombstones import Tombstones
from dagster_project.storage.warehouse import read_publish_rows
from dagster_project.workspace import Workspace

NOISE_IS_DRAWN = "noisy_users cannot be recomputed: its noise was drawn once and is kept nowhere"
Key = tuple[str, int]
"""A period's key and the revision."""


class CannotVerify(ConfideError):
    """There is nothing to verify, or it is not the time for it."""


def verify_release(workspace: Workspace, progress: Progress, release_id: str | None = None) -> Verification:
    """Verify a release of a home; None: the newest. Reads, and writes nothing but temporary files of its own.

    Raises CannotVerify where there is no such release or an erasure waits, ReleaseRefused where the ledger was altered.
    """
    home = workspace.home
    if Tombstones(home).pending():
        raise CannotVerify("an erasure waits to be carried out: give `confide erase` again, then verify")
    with in_use(home):
        entries = _entries(home, release_id)
        snapshot = Snapshot(home.publications / entries[-1].release_id)
        found = Verification(snapshot.release_id, __version__)
        progress.start("Checking files", 1)
        try:
            manifest = _checked_files(snapshot, entries[-1], found)
            editions = {(e.period.key, e.revision): e for e in published_editions(snapshot)}
        except SnapshotDamaged as error:
            found.files.append(str(error))
            return found
        except (OSError, pl.exceptions.PolarsError):
            found.files.append("the tables cannot be read: no number was recomputed")
            return found
        found.frozen = changed_since(home, snapshot, entries[:-1])
        progress.advance(1)
        _recompute(_Releases(workspace, manifest, editions, entries), definitions_of(snapshot), found, progress)
        return found


def _entries(home: Home, release_id: str | None) -> list[Entry]:
    """The ledger's releases up to the one asked for."""
    released = Ledger.read(home.release_ledger).released
    if release_id is None:
        newest = current(home)
        if newest is None:
            raise CannotVerify("nothing is published yet: there is no release to verify")
        release_id = newest.release_id
    ids = [entry.release_id for entry in released]
    if release_id not in ids:
        raise CannotVerify("the release ledger has no such release: `ls publications/` in the home has their names")
    return released[: ids.index(release_id) + 1]


def _checked_files(snapshot: Snapshot, entry: Entry, found: Verification) -> dict[str, Any]:
    """The manifest, after holding it against the ledger and the files against it."""
    manifest = snapshot.manifest()
    if snapshot.manifest_sha256() != entry.manifest_sha256 or manifest.get("previous_ledger_entry") != entry.previous:
        raise SnapshotDamaged("manifest.json is not the one in the ledger: no number was recomputed")
    found.made_with = manifest.get("code_version")
    found.n_files = len(manifest["files"])
    found.files += damages(snapshot)
    if found.made_with != __version__:
        found.notes.append("the release was made with another version of Confide, which may count otherwise")
    if "tables/noisy_users.parquet" in manifest["files"]:
        found.notes.append(NOISE_IS_DRAWN)
    return manifest


def changed_since(home: Home, snapshot: Snapshot, earlier: Iterable[Entry]) -> list[str]:
    """The earlier releases with a row that the release does not have: what was published once never changes."""
    changed = []
    for entry in earlier:
        before = Snapshot(home.publications / entry.release_id)
        try:
            for name in TABLES:
                then, now = before.read_table(name), snapshot.read_table(name)
                if not then.join(now, on=then.columns, how="anti", nulls_equal=True).is_empty():
                    changed.append(f"{entry.release_id}: {name}")
        except (OSError, pl.exceptions.PolarsError):
            changed.append(f"{entry.release_id}: its tables cannot be read")
    return changed


@dataclass
class _Releases:
    """The releases up to the one that is verified: what its manifest says, and its rows by period and revision."""

    workspace: Workspace
    manifest: Mapping[str, Any]
    editions: Mapping[Key, Edition]
    entries: Sequence[Entry]

    def about(self, key: Key) -> Mapping[str, Any]:
        """What the manifest says of a period and revision."""
        one: Mapping[str, Any] = next(p for p in self.manifest["periods"] if (p["key"], p["revision"]) == key)
        return one

    def keys(self, entry: Entry) -> list[Key]:
        """What a release published for the first time."""
        return [(p["key"], p["revision"]) for p in entry.periods]

    def before(self, entry: Entry) -> list[Edition]:
        """What was published before a release."""
        earlier = {key for one in self.entries[: self.entries.index(entry)] for key in self.keys(one)}
        return [edition for key, edition in self.editions.items() if key in earlier]

    def policy(self, key: Key) -> Policy:
        """The policy that a period was published under."""
        stated = self.about(key)["policy"]
        edition = self.editions[key]
        return Policy(stated["profile"], stated["overrides"], edition.rules, edition.max_conversations_per_user)

    def metadata(self, key: Key) -> PeriodMetadata:
        """A period as the rules want it."""
        about = self.about(key)
        return PeriodMetadata(
            period=parse_period(key[0]),
            labellers=about["labellers"],
            facet_versions=about["facet_versions"],
            prompt_hashes=about["prompt_hashes"],
            sample_design=about["sample_design"],
            revision=key[1],
        )


def _recompute(of: _Releases, definitions: Mapping[str, Any], found: Verification, progress: Progress) -> None:
    """Check every period and revision of the releases, those that can be with its numbers."""
    checks = {key: PeriodCheck(*key) for entry in of.entries for key in of.keys(entry)}
    found.periods = list(checks.values())
    for key, check in checks.items():
        if reason := why_not(of, key, definitions):
            check.state, check.reason = NOT_RECOMPUTABLE, reason
        if _waits(of.workspace, parse_period(key[0])):
            check.notes.append("data has landed since that is not labelled yet")
    possible = [key for key, check in checks.items() if check.state == EQUAL]
    if not possible:
        return
    with ExitStack() as held:
        progress.start("Counting anew", 1)
        try:
            scratch = held.enter_context(recounted(of.workspace.home, _countings(of, possible)))
        except RecountFailed as error:
            for key in possible:
                checks[key].state, checks[key].reason = DIFFERS, str(error)
            return
        progress.advance(1)
        for key in possible:  # a run may have labelled days anew while they were counted
            if reason := why_not(of, key, definitions):
                checks[key].state, checks[key].reason = NOT_RECOMPUTABLE, reason
        progress.start("Comparing", len(of.entries))
        for entry in of.entries:
            _compare_entry(of, entry, scratch, checks)
            progress.advance(1)


def why_not(of: _Releases, key: Key, definitions: Mapping[str, Any]) -> str | None:
    """Why a period and revision cannot be recomputed any more, in words; None when it can."""
    workspace, period, about = of.workspace, parse_period(key[0]), of.about(key)
    before = Tombstones(workspace.home).read().before
    if before is not None and period.start < before:
        return "conversations of its days were erased by age"
    if any(period.start <= day < period.end for day in ClosedDays(workspace.home).read()):
        return "conversations of its days were erased, or the key was rotated"
    kept = Contributions(workspace.home).inputs(period, key[1])
    if kept is None:
        return "what it was counted from is not kept any more"
    if any(digest_of(definitions.get(digest, {})) != digest for digest in about.get("definitions", {}).values()):
        return "methods.json does not have the definitions that it was labelled by"
    now = {f.id: digest_of(f.model_dump(mode="json")) for f in workspace.codebook}
    for facet in about["labellers"]:
        if now.get(facet) != about.get("definitions", {}).get(facet):
            return f"the codebook of the home does not define {facet} as the release says"
    if kept != labels_held_digest(workspace, period, of.editions[key].max_conversations_per_user):
        return "the labels of its days are not those that were counted: late data, another labeller, or people's labels"
    return None


def _waits(workspace: Workspace, period: Period) -> bool:
    """Whether a day of the period has landed otherwise than it was ingested."""
    days = [day for day in workspace.landing.days() if period.start <= day < period.end]
    inputs = {day: (workspace.lake.about("conversations", day) or {}).get("inputs") for day in days}
    return any(workspace.landing.inputs(day) != was for day, was in inputs.items())


def _countings(of: _Releases, keys: Sequence[Key]) -> list[Counting]:
    """The periods to count anew, those that are counted alike together."""
    alike: dict[tuple[int, tuple[str, ...]], set[Period]] = {}
    for key in keys:
        measured = tuple(sorted(of.about(key)["labellers"]))
        alike.setdefault((of.editions[key].max_conversations_per_user, measured), set()).add(parse_period(key[0]))
    return [
        Counting(tuple(sorted(periods)), bound, tuple(cells_of(f for f in of.workspace.codebook if f.id in measured)))
        for (bound, measured), periods in alike.items()
    ]


def _compare_entry(of: _Releases, entry: Entry, scratch: Home, checks: Mapping[Key, PeriodCheck]) -> None:
    """Make one release's rows again and compare them."""
    own = of.keys(entry)
    possible = [key for key in own if checks[key].state == EQUAL]
    if not possible:
        return
    sorted_anew = {key for key in possible if key[1] == 0 and _topics_changed(of.workspace, key)}
    for key in sorted_anew:
        checks[key].notes.append("topics cannot be recomputed: the period was sorted anew since")
    whole = possible == own and not sorted_anew
    if not whole:
        for key in possible:
            checks[key].notes.append("withheld cells were not compared: not all of its release can be recomputed")
    try:
        rows = _rows_again(of, entry, possible, scratch) if whole else _rows_of_single_cells(of, possible, scratch)
    except NotComparable as error:
        for key in possible:
            checks[key].state, checks[key].reason = NOT_RECOMPUTABLE, str(error)
        return
    except (ReleaseRefused, CandidateError):
        for key in possible:
            checks[key].state, checks[key].reason = DIFFERS, "the rules refuse what its labels give now"
        return
    for key in possible:
        check = checks[key]
        for name, table in TABLES.items():
            if not (table.is_topic and key in sorted_anew) and _holds(of.workspace.home, entry, name):
                again = [row for row in rows[name] if row["period_key"] == key[0]]
                check.tables[name] = compare(table, of.editions[key].rows[name], again, whole)
        if not all(one.equal for one in check.tables.values()):
            check.state = DIFFERS


def _holds(home: Home, entry: Entry, table: str) -> bool:
    """Whether a release has the table: what came later is no difference. A file that is gone is told of by itself."""
    return (home.publications / entry.release_id / "tables" / f"{table}.parquet").exists()


def _topics_changed(workspace: Workspace, key: Key) -> bool:
    period = parse_period(key[0])
    return Contributions(workspace.home).topics(period, key[1]) != topics_digest(workspace, period)


def _candidates(scratch: Home, keys: Sequence[Key]) -> dict[str, pl.DataFrame]:
    """Candidate rows as counted anew; a correction has no topics of its own."""
    found = {name: read_publish_rows(scratch, f"publish_{name}", [key for key, _ in keys]) for name in TABLES}
    if any(revision for _, revision in keys):
        found[TOPICS.name] = found[TOPICS.name].clear()
    return found


def _rows_again(of: _Releases, entry: Entry, keys: Sequence[Key], scratch: Home) -> Mapping[str, Sequence[Row]]:
    """The rows of a whole release, withheld cells and all. Raises ReleaseRefused, NotComparable."""
    metadata, before, policy = [of.metadata(key) for key in keys], of.before(entry), of.policy(keys[0])
    one = metadata[0]
    earlier = []
    if one.revision:
        kept, now = Contributions(of.workspace.home), contributions_of(scratch, one.period)
        compared = [Compared(number, changes(kept.read(one.period, number), now)) for number in range(one.revision)]
        earlier = earlier_revisions(one, before, compared, policy)
    return suppressed_rows(_candidates(scratch, keys), metadata, policy, before, earlier)


def _rows_of_single_cells(of: _Releases, keys: Sequence[Key], scratch: Home) -> Mapping[str, Sequence[Row]]:
    """What the rules of single cells let through, rounded. Raises CandidateError."""
    rows = {name: frame.to_dicts() for name, frame in _candidates(scratch, keys).items()}
    check_candidates(rows)
    rules = of.editions[keys[0]].rules
    return publishable(rows, primary(rows, rules), rules)
