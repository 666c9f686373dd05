"""What `confide verify` says in words. Not here: what it checks (`verifying.py`)."""

from dagster_project.cli.console import OUT
from dagster_project.domain.recomputation import DIFFERS, EQUAL, PeriodCheck, Verification


def print_verification(found: Verification) -> None:
    """Files, earlier releases, then period by period what is equal, what differs and what cannot be recomputed."""
    _say(f"Release {found.release_id}, made with Confide {found.made_with}")
    _say(f"Files: {found.n_files} checked, {len(found.files)} of them not as published")
    for what in found.files:
        _say(f"  {what}")
    for what in found.frozen:
        _say(f"An earlier release has rows that this one does not have: {what}")
    for one in found.periods:
        _say(f"{one.period}, revision {one.revision}: {_words(one)}")
        for name, table in one.tables.items():
            for cell in table.differ:
                _say(f"  {name} {cell}")
            if table.withheld_otherwise:
                _say(f"  {name}: {table.withheld_otherwise} cells were withheld and are not now")
            if table.rows_otherwise:
                _say(f"  {name}: {table.rows_otherwise} rows stand in one of the two alone")
        for note in one.notes:
            _say(f"  {note}")
    for note in found.notes:
        _say(f"Note: {note}")
    _say("Nothing differs that should not." if found.ok else "Something differs that should not: see above.")


def _words(one: PeriodCheck) -> str:
    if one.state == EQUAL:
        return f"{sum(table.cells for table in one.tables.values()):,} cells recomputed, all equal"
    if one.state == DIFFERS:
        return f"differs{f': {one.reason}' if one.reason else ''}"
    return f"cannot be recomputed: {one.reason}"


def _say(line: str) -> None:
    OUT.print(line, soft_wrap=True, markup=False)
