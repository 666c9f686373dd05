"""Prices: what is shown as spent is what the provider's list says, or what the settings say."""

from datetime import date

import pytest

from dagster_project.classifiers.claude.prices import PriceError, price_of, price_table, usd
from dagster_project.settings import ClaudeSettings
from dagster_project.storage.request_ledger.records import Usage

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
TODAY = date(2026, 11, 21)


def test_a_request_costs_what_the_list_says() -> None:
    haiku = price_of(HAIKU, TODAY)
    assert usd(haiku, Usage(1_000_000, 0), batch=False) == pytest.approx(0.50), "a prompt that long costs five times"
    thousand = Usage(600_000, 40_000, cache_write_tokens=20_000, cache_read_tokens=380_000)
    assert usd(haiku.model_copy(update={"long": None}), thousand, batch=False) == pytest.approx(
        0.6 * 0.10 + 0.04 * 0.50 + 0.02 * 0.125 + 0.38 * 0.01
    )
    assert usd(haiku, Usage(600, 40), batch=True) == pytest.approx(0.00004)
    assert usd(haiku, Usage(0, 0), batch=True) == 0


def test_the_long_prompts_price_begins_where_it_does() -> None:
    """Prevents a million-token conversation from being announced at a fifth of its price."""
    haiku = price_of(HAIKU, TODAY)
    at = usd(haiku, Usage(90_000, 100, cache_write_tokens=4_000, cache_read_tokens=6_000), batch=False)
    beyond = usd(haiku, Usage(90_000, 100, cache_write_tokens=4_000, cache_read_tokens=6_001), batch=False)
    assert at == pytest.approx(0.009 + 0.00005 + 0.0005 + 0.00006)
    assert beyond / at == pytest.approx(5, rel=1e-3)


def test_the_price_is_that_of_the_day() -> None:
    assert price_of(SONNET, date(2026, 10, 6)).cache_read == 0.20
    assert price_of(SONNET, date(2026, 10, 7)).cache_read == 0.10
    assert price_of(SONNET, date(2027, 1, 1)).cache_read == 0.10
    assert price_of(SONNET, date(2020, 1, 1)).since == date(2026, 9, 28), "a wrong clock costs the oldest price"


def test_a_dated_snapshot_costs_what_its_model_does() -> None:
    assert price_of("claude-haiku-4-5-20251001", TODAY).input == price_of("claude-haiku-4-5", TODAY).input


def test_an_unknown_model_is_refused_with_the_setting_to_make() -> None:
    """Prevents a run at no known price, which no budget could stop."""
    with pytest.raises(PriceError, match=r"\[claude\.prices\.my-own-model\]"):
        price_of("my-own-model", TODAY)


def test_settings_give_a_price_or_replace_one() -> None:
    own = price_of("my-own-model", TODAY, {"my-own-model": {"input": 2.0, "output": 4.0, "cache_read": None}})
    assert (own.input, own.output, own.cache_write, own.cache_read) == (2.0, 4.0, 2.5, 0.2)
    assert own.batch_factor == 0.5 and own.long is None and own.since is None
    free = price_of("my-own-model", TODAY, {"my-own-model": {"input": 0, "output": 0}})
    assert usd(free, Usage(5, 5, 5, 5), batch=False) == 0
    haiku = price_of(HAIKU, TODAY, {HAIKU: {"batch_factor": 1.0}, SONNET: {"input": 9.0}})
    assert (haiku.input, haiku.batch_factor) == (0.10, 1.0)
    assert haiku.long is not None, "what was not set stays"
    dearer = price_of(HAIKU, TODAY, {HAIKU: {"input": 1.0}})
    assert (dearer.input, dearer.output, dearer.cache_write, dearer.long) == (1.0, 0.50, 1.25, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": 1.0},
        {"input": -1.0, "output": 1.0},
        {"input": 1, "output": 1, "batch": 1},
        {"input": "x", "output": 1},
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(PriceError, match=r"setting \[claude\.prices\.my-own-model\] "):
        price_of("my-own-model", TODAY, {"my-own-model": wrong})


def test_the_models_asked_by_default_have_a_price() -> None:
    fields = ClaudeSettings.model_fields
    for model in (fields["screen_model"].default, fields["detail_model"].default):
        assert price_of(model, TODAY).since is not None


def test_the_table_is_in_order() -> None:
    """Prevents a slip of the pen: a cache that costs more to read than to write, or two prices on one day."""
    rows = price_table()
    assert len({(row.model, row.since) for row in rows}) == len(rows)
    for row in rows:
        for rates in filter(None, (row, row.long)):
            assert 0 < rates.cache_read < rates.input < rates.cache_write < rates.output
            assert rates.cache_write == pytest.approx(1.25 * rates.input)
            assert rates.output == pytest.approx(5 * rates.input)
        assert row.long is None or row.long.input > row.input
