"""Frame contracts as asset checks: what enters the lake is checked first, and told by count.

Lives here: collecting findings over the days of a run and turning them into check results. Not here: the
contracts (`expectations/frames`), which know nothing of Dagster.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import polars as pl

from dagster_project.errors import ConfideError

NAME = "contract"


class ContractFailed(ConfideError):
    """Rows that break a contract; the message names table, checks and counts, never a value."""


def contract_specs(*keys: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check an asset, reported by the step that writes it."""
    text = "Shape and vocabulary of every row (Pandera), checked before it is written; told by count."
    return [dg.AssetCheckSpec(NAME, asset=key, description=text, blocking=False) for key in keys]


class ContractReport:
    """Findings of one step, by table."""

    def __init__(self, tables: Mapping[str, dg.AssetKey]) -> None:
        self._keys = tables
        self._rows = dict.fromkeys(tables, 0)
        self._findings: dict[str, Counter[str]] = {table: Counter() for table in tables}

    def accepts(self, table: str, frame: pl.DataFrame, **context: Any) -> bool:
        """Whether a frame may be written; what is wrong with it is kept by count.

        context: what the contract is measured by, as `expectations.frames.contract.check` takes it.
        """
        from expectations.frames.contract import check

        found = check(table, frame, **context)
        self._rows[table] += frame.height
        self._findings[table].update({f.check: f.n_rows for f in found})
        return not found

    def results(self) -> Iterator[dg.AssetCheckResult]:
        """A result a table, passed or failed, with counts alone."""
        for table, key in self._keys.items():
            found = self._findings[table]
            yield dg.AssetCheckResult(
                passed=not found,
                asset_key=key,
                check_name=NAME,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={"rows": self._rows[table], **{f"failed: {name}": n for name, n in found.items()}},
            )

    def raise_if_broken(self) -> None:
        """Raises ContractFailed when any frame was refused."""
        broken = {t: f for t, f in self._findings.items() if f}
        if broken:
            words = "; ".join(f"{t}: " + ", ".join(f"{c} ({n} rows)" for c, n in f.items()) for t, f in broken.items())
            raise ContractFailed(f"rows were not written: {words}")
