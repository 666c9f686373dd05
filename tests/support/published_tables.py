"""Published tables and a manifest as a release would write them, for tests of what reads them.

Numbers are invented and round; the shape is the contract's: withheld cells are rows with nulls, topics
below the threshold have no row.
"""

import random
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from dagster_project.domain.tables import AGREEMENT_BY, ENDS, TABLES
from dagster_project.storage.published import polars_schema

WINDOW = (date(2026, 9, 21), date(2026, 11, 16), "window")
TYPES = {
    "interpersonal_advice": (0.042, 0.14),
    "coaching": (0.031, 0.06),
    "psychotherapy_counseling": (0.021, 0.16),
    "companionship": (0.011, 0.05),
    "romantic_roleplay": (0.0042, 0.0),
    "sexual_roleplay": (0.0, 0.0),
}
TALK = tuple(TYPES)[:4]
KINDS = {"safety": 0.14, "refusal": 0.16, "boundary": 0.22, "challenge": 0.34, "correction": 0.1, "other": 0.04}
THIRDS = {"early": 0.36, "middle": 0.33, "late": 0.31}
TONE = {
    "any": (-0.08, 0.03),
    "interpersonal_advice": (-0.12, -0.02),
    "coaching": (0.05, 0.18),
    "psychotherapy_counseling": (-0.31, -0.19),
    "companionship": (0.22, 0.27),
}
NAMES = {
    "interpersonal_advice": [
        "partner, argument, trust, talk", "boss, meeting, credit, work", "sister, wedding, money, family",
        "friend, message, reply, ignored", "mother, visit, boundaries, holiday", "roommate, dishes, rent, noise",
        "dating, first date, texting", "ex, children, weekend, handover", "neighbour, fence, parking",
    ],
    "coaching": [
        "career, change, job, next step", "morning, routine, habit, sleep", "goal, plan, week, motivation",
        "decision, move, city, family", "confidence, speaking, interview, presentation in front of a group",
        "purpose, meaning, values",
    ],
    "psychotherapy_counseling": [
        "anxiety, panic, breathing", "grief, loss, father, funeral", "work, burnout, tired, overwhelmed",
        "sleep, thoughts, night", "anger, regret, temper",
    ],
    "companionship": ["day, evening, chat, tea", "lonely, weekend, quiet flat", "music, memories, songs"],
}  # fmt: skip


def _common(period: tuple[date, date, str], suppressed: bool) -> dict[str, Any]:
    return {
        "period_kind": period[2], "period_start": period[0], "period_end": period[1], "revision": 0,
        "suppressed": suppressed,
    }  # fmt: skip


def _to(base: int, n: float) -> int:
    return int(base * round(n / base))


def _interval(part: float, n: int) -> tuple[float, float]:
    half = 1.96 * (part * (1 - part) / max(n, 1)) ** 0.5
    return max(0.0, round(part - half, 3)), min(1.0, round(part + half, 3))


def _prevalence(period: tuple[date, date, str], n: int, scale: float, least: int) -> list[dict[str, Any]]:
    parts = {"all": 1.0, "unknown": 0.012, "content_creation": 0.214, "affective": 0.094}
    parts |= {t: p for t, (p, _) in TYPES.items()} | {"companionship_or_roleplay": 0.0145}
    rows = []
    for category, base in parts.items():
        part = base if category in {"all", "unknown", "content_creation"} else base * scale
        withheld = n * part < least
        low, high = (1.0, 1.0) if category == "all" else _interval(part, n)
        measures = {
            "category": category, "n_conversations": _to(5, n * part),
            "n_users": _to(5, n * part * (0.6 if part > 0.5 else 0.78)), "share": round(part, 4),
            "share_low": low, "share_high": high,
            "corrected_share": None, "corrected_low": None, "corrected_high": None,
        }  # fmt: skip
        rows.append(_row(period, measures, ("category",), withheld))
    return rows


def _row(
    period: tuple[date, date, str], values: dict[str, Any], keys: tuple[str, ...], withheld: bool
) -> dict[str, Any]:
    shown = {k: (v if k in keys or not withheld else None) for k, v in values.items()}
    return {**_common(period, withheld), **shown}


def _funnel(period: tuple[date, date, str], n: int, scale: float) -> list[dict[str, Any]]:
    steps = {"all": 1.0, "not_content_creation": 0.774, "affective": 0.094 * scale, "analysed": 0.089 * scale}
    return [
        _row(
            period, {"step": s, "n_conversations": _to(5, n * p), "n_users": _to(5, n * p * 0.6)}, ("step",), n * p < 15
        )
        for s, p in steps.items()
    ]


def _topics(period: tuple[date, date, str], n: int, random_ids: random.Random) -> list[dict[str, Any]]:
    rows = []
    for kind, names in NAMES.items():
        size = n * TYPES[kind][0]
        for i, name in enumerate(names):
            part = (0.13 + 0.27 / len(names)) / (1 + 0.4 * i)
            if size * part < 50:
                continue
            rows.append({
                **_common(period, False), "affective_type": kind, "topic_id": f"{random_ids.getrandbits(40):010x}",
                "parent_topic_id": None, "level": 0, "topic_name": name, "n_conversations": _to(10, size * part),
                "n_users": _to(10, size * part * 0.8), "share": round(part, 2),
            })  # fmt: skip
    return rows


def _pushback(period: tuple[date, date, str], n: int, scale: float, least: float) -> list[dict[str, Any]]:
    rows = []
    for kind_of in ("any", *TALK):
        base, size = (0.118, n * 0.089) if kind_of == "any" else (TYPES[kind_of][1], n * TYPES[kind_of][0])
        size *= scale
        for kind in ("any", *KINDS):
            for position in ("any", *THIRDS):
                rate = base * KINDS.get(kind, 1.0) * THIRDS.get(position, 1.0)
                low, high = _interval(rate, int(size))
                measures = {
                    "affective_type": kind_of, "kind": kind, "position": position,
                    "n_conversations": _to(5, size * rate), "n_users": _to(5, size * rate * 0.9),
                    "of_conversations": _to(5, size), "of_users": _to(5, size * 0.7),
                    "rate": round(rate, 3), "rate_low": low, "rate_high": high,
                }  # fmt: skip
                rows.append(_row(period, measures, ("affective_type", "kind", "position"), size * rate < least))
    return rows


def _sentiment(period: tuple[date, date, str], n: int, drift: float, least: float) -> list[dict[str, Any]]:
    rows = []
    for kind, (start, end) in TONE.items():
        size = n * (0.04 if kind == "any" else TYPES[kind][0] * 0.45)
        half = round(0.9 / max(size, 1) ** 0.5, 2)
        change = round(end - start + drift, 2)
        measures = {
            "affective_type": kind, "n_conversations": _to(5, size), "n_users": _to(5, size * 0.8),
            "sentiment_start": start, "sentiment_end": round(end + drift, 2), "sentiment_change": change,
            "change_low": round(change - half, 2), "change_high": round(change + half, 2),
            "tone_first": round(start - 0.04, 2), "tone_next": round(start + 0.02, 2),
            "later_change": round(change - 0.02, 2),
            "later_low": round(change - 0.02 - half, 2), "later_high": round(change - 0.02 + half, 2),
        }  # fmt: skip
        rows.append(_row(period, measures, ("affective_type",), size < least))
    return rows


def _share_row(
    period: tuple[date, date, str], keys: dict[str, Any], part: float, of: float, least: float, more: dict[str, Any]
) -> dict[str, Any]:
    """A row of a share `part` of `of` conversations, withheld where that is too little."""
    n = part * of
    low, high = _interval(part, int(of))
    measures = {
        **keys, "n_conversations": _to(5, n), "n_users": _to(5, n * 0.8), "share": round(part, 3), "share_low": low,
        "share_high": high, "of_conversations": _to(5, of), "of_users": _to(5, of * 0.7), **more,
    }  # fmt: skip
    return _row(period, measures, (*keys, *more), n < least)


def _long(period: tuple[date, date, str], n: int, least: float) -> list[dict[str, Any]]:
    sizes = {"any": 0.089} | {t: TYPES[t][0] for t in TALK}
    return [
        _share_row(period, {"affective_type": t}, 0.012 if t != "companionship" else 0.06, n * size, least, {})
        for t, size in sizes.items()
    ]


def _bands(period: tuple[date, date, str], n: int) -> list[dict[str, Any]]:
    of, rows = int(n * 0.06), []
    for band, part in (("1", 0.71), ("2", 0.19), ("3_or_more", 0.1)):
        low, high = _interval(part, of)
        measures = {
            "band": band, "n_users": _to(5, part * of), "share_of_users": part, "of_users": _to(5, of),
            "share_low": low, "share_high": high,
        }  # fmt: skip
        rows.append(_row(period, measures, ("band",), False))
    return rows


def _drift(period: tuple[date, date, str], n: int, least: float) -> list[dict[str, Any]]:
    of, rows = n * 0.085, []
    for start in ENDS:
        for end in ENDS:
            whole = TYPES.get(start, (0.005, 0))[0] / 0.12
            part = whole * (0.82 if start == end else 0.03)
            rows.append(_share_row(period, {"start_type": start, "end_type": end}, part, of, least, {}))
    return rows


REASONS = {
    "harm_to_self": 0.22, "harm_to_others": 0.06, "illegal": 0.03, "sexual": 0.02, "medical_or_legal_limits": 0.31,
    "privacy": 0.05, "facts": 0.12, "unhelpful_pattern": 0.34, "identity_of_assistant": 0.08, "capability": 0.02, "other": 0.04,
}  # fmt: skip


def _facets(period: tuple[date, date, str], n: int, least: float) -> list[dict[str, Any]]:
    rows = []
    for facet, base, told, parts in (
        ("pushback_reason", "pushback", "one_or_more", REASONS),
        ("pushback_given_up", "pushback", "one_or_more", {"held": 0.61, "at_second_request": 0.12, "at_third_request": 0.27, "at_later_request": 0.01}),
        ("referral", None, "any_number", {"crisis_service": 0.012, "professional": 0.31, "people_close": 0.22}),
    ):  # fmt: skip
        for value, part in parts.items():
            for of in ("any", *TALK):
                size = n * (0.089 if of == "any" else TYPES[of][0]) * (0.06 if base else 1)
                keys = {"facet": facet, "value": value, "affective_type": of}
                rows.append(_share_row(period, keys, part, size, least, {"of_facet": base, "values_told": told}))
    return rows


def tables_of(
    periods: list[tuple[date, date, str]], n: int = 6000, *, least: float = 15.0, seed: int = 7
) -> dict[str, pl.DataFrame]:
    """The tables of a release for some periods of about `n` counted conversations each.

    least: the (unrounded) conversations under which a cell of the sample is withheld.
    """
    rng = random.Random(seed)
    rows: dict[str, list[dict[str, Any]]] = {t: [] for t in TABLES}
    for i, period in enumerate(periods):
        scale = 1.0 if len(periods) == 1 else 0.85 + 0.3 * rng.random()
        size = n if len(periods) == 1 else int(n * (0.9 + 0.2 * rng.random()))
        drift = 0.0 if len(periods) == 1 else round(0.06 * (rng.random() - 0.5), 2)
        rows["prevalence"] += _prevalence(period, size, scale, int(least))
        rows["funnel"] += _funnel(period, size, scale)
        rows["topics"] += _topics(period, size, random.Random(seed + i))
        rows["pushback"] += _pushback(period, size, scale, least)
        rows["sentiment"] += _sentiment(period, size, drift, least * 3)
        rows["long_conversations"] += _long(period, size, least)
        rows["usage_bands"] += _bands(period, size)
        rows["drift"] += _drift(period, size, least)
        rows["facets"] += _facets(period, size, least)
    return {
        name: pl.DataFrame(found, infer_schema_length=None)
        if found
        else pl.DataFrame(schema=polars_schema(TABLES[name]))
        for name, found in rows.items()
    }


def with_human_labels(tables: dict[str, pl.DataFrame], corrected: bool = True) -> dict[str, pl.DataFrame]:
    """The same where people labelled some of the conversations. corrected: enough of them."""
    common = tables["prevalence"].row(0, named=True)
    keys = {k: common[k] for k in ("period_kind", "period_start", "period_end", "revision")}
    measures = {
        "labeller": "local-1-3f9a2c", "n_labelled": 400, "accuracy": 0.94, "precision": 0.82, "recall": 0.91,
        "f1": 0.86, "kappa": 0.81, "kappa_low": 0.72, "kappa_high": 0.88,
    }  # fmt: skip
    few = dict.fromkeys(("precision", "recall", "f1", "kappa", "kappa_low", "kappa_high"))
    facets = {"content_creation": measures, "affective_type": measures, "affective_type.companionship": measures | few}
    agreement = [{**keys, "facet": f, **of, "suppressed": False} for f, of in facets.items()]
    agreement.append({**keys, "facet": "pushback", **dict.fromkeys(measures), "suppressed": True})
    groups = [
        {
            **keys, "facet": facet, "dimension": dimension, "group_name": group, "labeller": "local-1-3f9a2c",
            **{
                name: None if facet == "pushback" or (facet.endswith("companionship") and name[0] in "fk") else value
                for name, value in measures.items()
                if name not in ("labeller", "precision", "recall")
            },
            "suppressed": facet == "pushback",
        }
        for facet, dimension, group in AGREEMENT_BY.only
        if facet in (*facets, "pushback")
    ]  # fmt: skip
    ends = {"corrected_share": 0.8, "corrected_low": 0.7, "corrected_high": 0.9}
    affective = (pl.col("category") == "affective") & corrected
    whole = (pl.col("affective_type") == "any") & corrected
    rate = whole & (pl.col("kind") == "any") & (pl.col("position") == "any")
    rates = {"corrected_rate": 0.8, "corrected_low": 0.7, "corrected_high": 0.9}
    tones = {"start": 0.0, "end": 0.1, "change": 0.1, "change_low": 0.0, "change_high": 0.2}
    return tables | {
        "pushback": tables["pushback"].with_columns(
            pl.when(rate).then(pl.col("rate") * factor).otherwise(None).alias(name) for name, factor in rates.items()
        ),
        "sentiment": tables["sentiment"].with_columns(
            pl.when(whole).then(value).otherwise(None).alias(f"corrected_{name}") for name, value in tones.items()
        ),
        "prevalence": tables["prevalence"].with_columns(
            pl.when(affective).then(pl.col("share") * factor).otherwise(None).alias(name)
            for name, factor in ends.items()
        ),
        "agreement": pl.DataFrame(agreement, infer_schema_length=None),
        "agreement_by": pl.DataFrame(groups, infer_schema_length=None),
    }


def window_tables(n: int = 48_000) -> dict[str, pl.DataFrame]:
    """One study window of eight weeks."""
    return tables_of([WINDOW], n)


def weeks(n: int = 8) -> list[tuple[date, date, str]]:
    """ISO weeks from 21 September 2026 on."""
    first = date(2026, 9, 21)
    return [(first + timedelta(7 * i), first + timedelta(7 * i + 7), "week") for i in range(n)]


def weekly_tables(n_weeks: int = 8, n: int = 16_000) -> dict[str, pl.DataFrame]:
    """Several weeks."""
    return tables_of(weeks(n_weeks), n)


def manifest_of(tables: dict[str, pl.DataFrame], *, second_labeller_from: date | None = None) -> dict[str, Any]:
    """A manifest for sample tables. second_labeller_from: periods from this day on have another labeller."""
    keys = tables["prevalence"].select("period_start", "period_end", "period_kind").unique().sort("period_start")
    facets = (
        "content_creation", "affective_type", "pushback", "sentiment", "topic", "pushback_given_up", "pushback_reason",
        "referral", "type_at_start", "type_at_end",
    )  # fmt: skip
    periods = []
    for start, end, kind in keys.iter_rows():
        later = second_labeller_from is not None and start >= second_labeller_from
        labeller = "local-2-77b0d1" if later else "local-1-3f9a2c"
        periods.append({
            "key": f"{start}..{end - timedelta(1)}", "kind": kind, "revision": 0,
            "start": start.isoformat(), "end": end.isoformat(),
            "labellers": dict.fromkeys(facets, labeller), "facet_versions": dict.fromkeys(facets, 1),
            "prompt_hashes": {f: f"{hash_of(f + labeller):016x}" for f in facets},
            "not_measured": [], "sample_design": "census",
        })  # fmt: skip
    fixed = [name for name in tables if name != "topics"]
    return {
        "release_id": "20261121T120000Z-4be1",
        "created_at": datetime(2026, 11, 21, 12, 0).isoformat() + "Z",
        "code_version": "0.1.0",
        "periods": periods,
        "policy": {
            "profile": "default", "min_users": 10, "min_conversations": 15, "min_topic_users": 25,
            "min_topic_conversations": 50, "rounding_base": 5, "topic_rounding_base": 10,
            "max_conversations_per_user": 5,
        },
        "cells": {
            name: {"published": tables[name].height - withheld, "withheld": withheld}
            for name in fixed
            for withheld in (int(tables[name]["suppressed"].sum()),)
        },
        "files": {
            f"tables/{name}.{ending}": {
                "sha256": f"{hash_of(name + ending):016x}" * 4, "bytes": 18_402, "rows": tables[name].height,
            }
            for name in tables
            for ending in ("csv", "parquet")
        },
    }  # fmt: skip


def hash_of(text: str) -> int:
    """A number made of a text, the same in every process."""
    return int.from_bytes(text.encode("utf-8").ljust(24, b"\x9d")[-24:], "big") * 2654435761 % (1 << 63)
