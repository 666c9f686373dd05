"""Money: what was spent, on what, and what may still be paid for requests under way.

Lives here: the sums, kept in step with the requests. Not here: prices (`classifiers/claude/prices.py`), the decision
to stop (`claiming.py` applies a budget).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from dagster_project.storage.database import AnyRow
from dagster_project.storage.request_ledger.connected import Connected
from dagster_project.storage.request_ledger.records import Cost, Settlement, Totals
from dagster_project.storage.request_ledger.schema import BATCHES, OPEN, REQUESTS, SPENDING, BatchState, State

_TOKENS = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")
_SUMMED = ("requests", *_TOKENS, "usd")
OPEN_BATCHES = (BatchState.INTENDED, BatchState.SUBMITTED, BatchState.SAVED)


class Spending(Connected):
    """The part of the ledger that knows what it costs."""

    def spent(self, since: datetime | None = None, run: str | None = None) -> float:
        """Dollars paid: of one run, or of all; since the full hour of a time, or ever."""
        with self.database.reading() as connection:
            return self._spent(connection, since, run)

    def in_flight_usd(self) -> float:
        """Dollars, estimated, of what may still be paid: in batches, or with living workers."""
        with self.database.reading() as connection:
            return self._in_flight(connection)[1]

    def costs(self, run: str | None = None) -> list[Cost]:
        """What was paid by day, stage, model and transport: by one run, or by all."""
        keys = [SPENDING.c[name] for name in ("day", "stage", "model", "transport")]
        query = select(*keys, *(func.sum(SPENDING.c[name]).label(name) for name in _SUMMED))
        if run is not None:
            query = query.where(SPENDING.c.settled_by == run)
        with self.database.reading() as connection:
            rows = connection.execute(query.group_by(*keys).order_by(*keys))
            return [
                Cost(
                    day=row.day,
                    stage=row.stage,
                    model=row.model,
                    transport=row.transport,
                    requests=int(row.requests),
                    input_tokens=int(row.input_tokens),
                    output_tokens=int(row.output_tokens),
                    cache_write_tokens=int(row.cache_write_tokens),
                    cache_read_tokens=int(row.cache_read_tokens),
                    usd=float(row.usd),
                )
                for row in rows
            ]

    def totals(self) -> Totals:
        """The whole ledger in numbers, without reading it row by row."""
        sums = select(*(func.coalesce(func.sum(SPENDING.c[name]), 0).label(name) for name in _SUMMED))
        open_batches = select(func.count()).select_from(BATCHES).where(BATCHES.c.state.in_(OPEN_BATCHES))
        with self.database.reading() as connection:
            row = connection.execute(sums).one()
            n, usd = self._in_flight(connection)
            return Totals(
                requests=int(row.requests),
                input_tokens=int(row.input_tokens + row.cache_write_tokens + row.cache_read_tokens),
                output_tokens=int(row.output_tokens),
                usd=float(row.usd),
                in_flight=n,
                in_flight_usd=usd,
                open_batches=int(connection.execute(open_batches).scalar_one()),
            )

    def _spent(self, connection: Connection, since: datetime | None, run: str | None = None) -> float:
        query = select(func.coalesce(func.sum(SPENDING.c.usd), 0.0))
        if since is not None:
            query = query.where(SPENDING.c.hour >= _hour_of(since))
        if run is not None:
            query = query.where(SPENDING.c.settled_by == run)
        return float(connection.execute(query).scalar_one())

    def _in_flight(self, connection: Connection) -> tuple[int, float]:
        """Requests and dollars. What the dead had intended outside a batch will not be paid by them."""
        c = REQUESTS.c
        rows = list(
            connection.execute(
                select(c.owner, c.state, func.count().label("n"), func.sum(c.est_usd).label("usd"))
                .where(OPEN)
                .group_by(c.owner, c.state)
            )
        )
        living = self._worker.living(connection, {row.owner for row in rows if row.state == State.INTENDED})
        counted = [row for row in rows if row.state == State.BATCHED or row.owner in living]
        return sum(row.n for row in counted), float(sum(row.usd for row in counted))

    def _book(self, connection: Connection, settled: Iterable[tuple[AnyRow, Settlement]], now: datetime) -> None:
        """Add what was paid to the sums, in the transaction that closes the requests."""
        sums: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(_SUMMED, 0))
        for row, given in settled:
            if given.usage is None and not given.usd:
                continue
            total = sums[row.day, row.stage, row.model, row.transport]
            total["requests"] += 1
            total["usd"] += given.usd
            for name in _TOKENS:
                total[name] += getattr(given.usage, name) if given.usage else 0
        if not sums:
            return
        adding = self.database.insert(SPENDING)
        adding = adding.on_conflict_do_update(
            index_elements=[column.name for column in SPENDING.primary_key],
            set_={name: SPENDING.c[name] + adding.excluded[name] for name in _SUMMED},
        )
        hour = _hour_of(now)
        for key in sorted(sums):
            day, stage, model, transport = key
            connection.execute(
                adding,
                {
                    "settled_by": self.run,
                    "hour": hour,
                    "day": day,
                    "stage": stage,
                    "model": model,
                    "transport": transport,
                    **sums[key],
                },
            )


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
