"""What tokens cost: a dated table, and what settings say instead.

Lives here: looking up and multiplying. Not here: the prices (`prices.yaml`), what was spent (`request_ledger`).
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_project.errors import ConfideError
from dagster_project.storage.request_ledger.records import Usage

PRICES_FILE = Path(__file__).with_name("prices.yaml")
WRITE_FACTOR, READ_FACTOR = 1.25, 0.1
"""Of the input's price, where settings give a price for input and none for the cache."""
_SNAPSHOT = re.compile(r"-20\d{6}$")
_MILLION = 1_000_000


class PriceError(ConfideError):
    """A model without a price, or prices that cannot be used; the message names the setting."""


class Rates(BaseModel):
    """Dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cache_write: float = Field(ge=0, allow_inf_nan=False)
    cache_read: float = Field(ge=0, allow_inf_nan=False)


class LongRates(Rates):
    """Prices of a request whose prompt is longer than `above` tokens."""

    above: int = Field(gt=0)


class Price(Rates):
    """What a model costs. since: None where settings say it."""

    model: str
    since: date | None = None
    batch_factor: float = Field(default=0.5, gt=0, le=1)
    long: LongRates | None = None


def price_of(model: str, on: date, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Price:
    """The price of a model on a day; before the first day of the table, the first known one.

    A dated snapshot (`…-20251001`) costs what its model does. overrides: by model, the fields of `Price` that settings
    replace (None replaces nothing); a model that is not in the table needs `input` and `output`. Setting `input` or
    `output` of a model with prices for long prompts drops those, unless `long` is set too. Raises PriceError.
    """
    listed = [p for p in price_table() if p.model == model]
    listed = listed or [p for p in price_table() if p.model == _SNAPSHOT.sub("", model)]
    known = [p for p in listed if p.since is None or p.since <= on] or listed[:1]
    said = {name: value for name, value in (overrides or {}).get(model, {}).items() if value is not None}
    setting = f"[claude.prices.{model}]"
    if not said:
        if not known:
            raise PriceError(
                f"no price is known for {model}: give input and output, in dollars per million, in {setting}"
            )
        return known[-1]
    fields = known[-1].model_dump() if known else {}
    if "input" in said or "output" in said:
        fields.pop("long", None)
    if "input" in said and isinstance(said["input"], int | float):
        fields["cache_write"], fields["cache_read"] = WRITE_FACTOR * said["input"], READ_FACTOR * said["input"]
    try:
        return Price.model_validate({**fields, **said, "model": model, "since": None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PriceError(f"setting {setting} {where}: {first['msg']}") from None


def usd(price: Price, usage: Usage, batch: bool) -> float:
    """Dollars for one reply."""
    is_long = price.long is not None and usage.prompt_tokens > price.long.above
    rates: Rates = price.long if is_long and price.long is not None else price
    full = (
        usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
        + usage.cache_write_tokens * rates.cache_write
        + usage.cache_read_tokens * rates.cache_read
    ) / _MILLION
    return full * price.batch_factor if batch else full


@cache
def price_table() -> tuple[Price, ...]:
    """The rows of the file, oldest first. Raises PriceError when it is missing or wrong."""
    try:
        rows = yaml.safe_load(PRICES_FILE.read_text(encoding="utf-8"))
        return tuple(sorted((Price.model_validate(row) for row in rows), key=lambda p: (p.model, p.since or date.min)))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, ValidationError, TypeError):
        raise PriceError(f"{PRICES_FILE.name} cannot be read: install Confide again") from None
