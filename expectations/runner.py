"""Runs the suite of one published table over the very rows to be written.

Lives here: how Great Expectations is driven so that no value of a row leaves it (BOOLEAN_ONLY, an ephemeral context,
no analytics, no Data Docs), and so that a check which errors is never taken for one that passed. Not here: what is
expected (`suites/*.json`), where thresholds come from (they are passed in), what a failure leads to (`release.py`).
"""

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

SUITES = Path(__file__).parent / "suites"


class SuiteError(Exception):
    """A suite that is missing, unreadable or could not be evaluated: nothing may be published on it."""


@dataclass(frozen=True)
class Outcome:
    """One expectation of a suite: its type, the columns it is about, whether it holds."""

    expectation: str
    columns: tuple[str, ...]
    passed: bool

    def __str__(self) -> str:
        return f"{self.expectation}({', '.join(self.columns)})"


def check(table: str, frame: "pl.DataFrame", parameters: Mapping[str, float], suites: Path = SUITES) -> list[Outcome]:
    """Every expectation of a table's suite, passed or not.

    frame: the rows of the table as they will be written. parameters: numbers for the suite's `$PARAMETER`s.
    Raises SuiteError when the table has no suite, or an expectation cannot be evaluated.
    """
    expectations = read_suite(table, suites)
    gx = _great_expectations()
    suite = gx.ExpectationSuite(name=table, expectations=expectations)
    batch = (
        _context(gx)
        .data_sources.add_pandas("rows")
        .add_dataframe_asset(table)
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": frame.to_pandas()})
    )
    try:
        result = batch.validate(suite, expectation_parameters=dict(parameters), result_format="BOOLEAN_ONLY")
    except gx.exceptions.SuiteParameterError:
        raise SuiteError(f"the suite of {table} needs a parameter that the policy does not give") from None
    outcomes = [_outcome(table, one) for one in result.results]
    if len(outcomes) != len(expectations):
        raise SuiteError(f"the suite of {table} was evaluated in part only")
    return outcomes


def read_suite(table: str, suites: Path = SUITES) -> list[dict[str, Any]]:
    """The expectations of a table. Raises SuiteError when there is no suite, or nothing in it."""
    known = {path.stem: path for path in suites.glob("*.json")}
    if table not in known:
        raise SuiteError(f"there is no suite for this table: only {', '.join(sorted(known)) or 'none'} have one")
    try:
        expectations = json.loads(known[table].read_text(encoding="utf-8"))["expectations"]
    except (OSError, ValueError, KeyError, TypeError):
        raise SuiteError(f"the suite of {table} cannot be read") from None
    if not expectations:
        raise SuiteError(f"the suite of {table} expects nothing")
    return list(expectations)


def _outcome(table: str, one: Any) -> Outcome:
    kwargs = one.expectation_config.kwargs
    named = [kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs] or kwargs.get("column_list", [])
    outcome = Outcome(one.expectation_config.type, tuple(named), bool(one.success))
    # Great Expectations reports an expectation that crashed as one that failed, with the crash in here.
    about = one.exception_info or {}
    crashes = [about, *(v for v in about.values() if isinstance(v, Mapping))]
    if any(crash.get("raised_exception") for crash in crashes):
        raise SuiteError(f"{table}: {outcome} could not be evaluated")
    return outcome


def _great_expectations() -> Any:
    """Great Expectations, imported late (it takes seconds) and without the warnings of its own imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        import expectations.own_expectations  # noqa: F401  (registers them)
    # It logs the metrics of failed expectations, values included.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return gx


def _context(gx: Any) -> Any:
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)
