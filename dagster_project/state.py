"""What a home looks like: `confide status` and `confide doctor`.

Lives here: reading and judging. Not here: mending (`setting_up.py`, `running.py`).
"""

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dagster_project.days import day_states, waiting
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.inbox import look
from dagster_project.settings import host_of
from dagster_project.sources.outcome import Reason
from dagster_project.sources.registry import AUTO, source_named
from dagster_project.storage.tombstones import Tombstones
from dagster_project.workspace import Workspace

LOW_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what, whether it is well, and else what to do. hint: what may come next where it is."""

    what: str
    ok: bool
    advice: str = ""
    hint: str = ""


def status_of(workspace: Workspace) -> dict[str, Any]:
    """Days by state, labels, spend, releases, published periods that wait for a correction, and open batches."""
    from dagster_project.storage.published import current

    states = day_states(workspace)
    lake = workspace.lake
    labels = sum(
        int((lake.about(table, s.day) or {}).get("labels", 0))
        for s in states
        for table in ("screen_labels", "detail_labels")
    )
    newest = current(workspace.home)
    return {
        "days": {
            "landed": len(states),
            "up_to_date": sum(s.built for s in states),
            "stale": [s.day.isoformat() for s in states if not s.built],
        },
        "labels": labels,
        **spending(workspace),
        "releases": releases(workspace.home),
        "erasures_pending": bool(Tombstones(workspace.home).pending()),
        "waiting": [period.key for period in waiting(workspace)],
        "current": newest.release_id if newest else None,
        **({"inbox": inbox_of(workspace)} if workspace.settings.inbox.enabled else {}),
    }


def inbox_of(workspace: Workspace) -> dict[str, Any]:
    """What lies in the folder that is watched, by count. Raises HomeError where it is unsafe."""
    seen = look(workspace, datetime.now(UTC))
    if seen is None:
        return {"being_taken": True}
    return {
        "ready": len(seen.ready),
        "waiting": seen.waiting,
        "taken": seen.taken,
        "given_up": dict(seen.given_up),
        "passed_over": seen.passed_over,
    }


def spending(workspace: Workspace) -> dict[str, Any]:
    """What the ledger has booked: dollars, by stage and model, and the batches that are still open."""
    if not workspace.asks_claude and not workspace.home.request_ledger.exists():
        return {"usd": 0.0, "spent": [], "open_batches": []}
    ledger = workspace.ledger
    spent: dict[tuple[str, str], dict[str, Any]] = {}
    for cost in ledger.costs():
        first: dict[str, Any] = {"stage": cost.stage, "model": cost.model, "requests": 0, "usd": 0.0}
        row = spent.setdefault((cost.stage, cost.model), first)
        row["requests"] += cost.requests
        row["usd"] = round(row["usd"] + cost.usd, 6)
    return {
        "usd": round(ledger.totals().usd, 6),
        "spent": list(spent.values()),
        "open_batches": [
            {"id": b.provider_id, "state": b.state.value, "requests": b.n_requests, "days": [b.first_day, b.last_day]}
            for b in ledger.open_batches()
        ],
    }


def releases(home: Home) -> list[str]:
    """Ids of the releases on disk, in order."""
    return sorted(p.name for p in home.publications.iterdir() if p.is_dir() and not p.is_symlink() and p.name[0] != ".")


def examine(home: Home) -> list[Finding]:
    """Everything that can be wrong with a home, one finding each; stops where nothing further can be judged."""
    if not home.exists:
        return [Finding(f"home at {home.root}", False, f"run `confide --home {home.root} init`")]
    findings = [Finding(f"home at {home.root}", True), _modes(home), _disk(home)]
    opened = _tried("settings, policy, codebook and key", lambda: Workspace.open(home.root))
    findings.append(opened)
    if not opened.ok:
        return findings
    workspace = Workspace.open(home.root)
    findings.append(_tried("labeller", lambda: workspace.answers("screen").labeller))
    if workspace.asks_claude and not {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"} & os.environ.keys():
        findings.append(Finding("key of the API", True, hint="none in ANTHROPIC_API_KEY: `confide run` needs one"))
    findings.append(_embedder(workspace))
    findings.append(_tried("release ledger and publications", lambda: _verified(home)))
    findings += [_logs(workspace), _refused(home), *_inbox(workspace), *_screening(workspace), _users(workspace)]
    findings.append(
        Finding(
            "erasures carried out",
            not Tombstones(home).pending(),
            "an erasure was cut short: it is finished before the next `confide run`, or by `confide erase` again",
        )
    )
    stale = [s.day for s in day_states(workspace) if not s.built]
    findings.append(
        Finding(
            "days up to date",
            not stale,
            f"{len(stale)} are not, the first {stale[0] if stale else ''}: run `confide run`",
        )
    )
    return findings


def _tried(what: str, attempt: Callable[[], Any]) -> Finding:
    try:
        attempt()
    except ConfideError as error:
        return Finding(what, False, str(error))
    return Finding(what, True)


def _embedder(workspace: Workspace) -> Finding:
    """With a server, whoever runs the home is told what leaves the machine, and where to."""
    found, chosen = _tried("embedder of topics", lambda: workspace.topic_vectors.name), workspace.settings.topics
    if not found.ok or chosen.embedder != "http":
        return found
    what = (
        "the labeller's descriptions, and people's words where there is none,"
        if workspace.asks_claude
        else "people's words"
    )
    return Finding(found.what, True, hint=f"{what} are sent to {host_of(str(chosen.embedder_url))} to be embedded")


def _verified(home: Home) -> None:
    from dagster_project.storage.published import current, verify
    from dagster_project.storage.release_ledger import Ledger

    Ledger.read(home.release_ledger).require_for(len(releases(home)))
    if snapshot := current(home):
        verify(snapshot)


def _modes(home: Home) -> Finding:
    open_ones = [f for f in home.folders() if f.exists() and stat.S_IMODE(f.stat().st_mode) & 0o077]
    return Finding("folders private (0700)", not open_ones, f"chmod 700 {open_ones[0] if open_ones else ''}")


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.root).free
    writable = os.access(home.root, os.W_OK)
    return Finding(
        "disk writable, over 2 GB free", writable and free > LOW_DISK_BYTES, "free some space or mend the mount"
    )


def _logs(workspace: Workspace) -> Finding:
    days = workspace.landing.days()
    if days:
        return Finding(f"chat logs of {len(days):,} days", True)
    command = f"confide --home {workspace.home.root} ingest PATH"
    return Finding("chat logs", True, hint=f"none yet: {command} (docs/formats.md lists what is read)")


MENDED_BY = {
    Reason.MISSING_TIME: "give their day with --started-at YYYY-MM-DD",
    Reason.CONFLICT: "an id came twice with other contents: keep the right one",
    Reason.UNREADABLE_FILE: "look at the file and its rights",
    Reason.TRUNCATED_FILE: "fetch the file again",
    Reason.DAMAGED_FILE: "fetch the file again",
    Reason.INVALID_JSON: "if it is another format, name it with --format (docs/formats.md)",
}
"""What to do about refused records, by reason; the others are looked at one by one."""


def _refused(home: Home) -> Finding:
    """A hint and no fault: the others went on, and an operator may be content with that."""
    reasons = sorted({file.parent.name for file in home.quarantine.glob("*/*.jsonl")})
    if not reasons:
        return Finding("refused records", True)
    known = [f"{reason}: {MENDED_BY[Reason(reason)]}" for reason in reasons if reason in MENDED_BY]
    mending = "; ".join(known) or "look at them there"
    hint = f"quarantine/ holds some ({', '.join(reasons)}); {mending}; then ingest again, and remove what is dealt with"
    return Finding("refused records", True, hint=hint)


def _inbox(workspace: Workspace) -> list[Finding]:
    """Of the folder that is watched, where one is."""
    if not workspace.settings.inbox.enabled:
        return []
    what = "inbox"
    try:
        seen = inbox_of(workspace)
        if (format := workspace.settings.inbox.format) != AUTO:
            source_named(format, workspace.settings.sources.table)
    except ConfideError as error:
        return [Finding(what, False, str(error))]
    given_up = sum(seen.get("given_up", {}).values())
    told = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in seen.items() if isinstance(n, int) and n)
    return [
        Finding(
            what,
            not given_up,
            f"{given_up} files were given up ({', '.join(seen.get('given_up', {}))}): mend or remove them; a changed "
            "file is tried again",
            hint=told and f"{told}; taken while `confide ui` or a Dagster daemon runs",
        )
    ]


def _screening(workspace: Workspace) -> list[Finding]:
    """Of the cheap score that two-phase screening needs, where that is chosen."""
    if not workspace.screens_in_two_phases:
        return []
    chosen = workspace.settings.screening
    found = _tried("cheap score of two-phase screening", lambda: workspace.cheap_score.weights)
    hint = (
        f"asks about all with a score of {chosen.cut} or more, and {chosen.sample_rate:.0%} of the others; "
        "`confide estimate` says what that saves and costs"
    )
    return [replace(found, hint=hint)]


def _users(workspace: Workspace) -> Finding:
    from dagster_project.storage.pseudonyms import NO_USER

    users: set[str] = set()
    for day in workspace.lake.days("conversations"):
        users.update(workspace.lake.read("conversations", day)["user_key"].unique().to_list())
        if users - {NO_USER}:
            break
    return Finding(
        "conversations have user ids",
        not users or bool(users - {NO_USER}),
        "no conversation has one: all count as one person and nothing can be published; ingest logs with user_id",
    )
