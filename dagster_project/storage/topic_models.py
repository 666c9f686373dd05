"""Versions of topic models: a file a chain, affective type and last day of the fit, plain arrays with a digest.

Lives here: writing, reading and listing them, and marking those that an erasure touched. Not here: which version a
period has (`topics/versions.py`), what a model is (`domain/topics/model.py`).

A version is named by the day on which its fit ends; fitted again, it takes its own place. One that is marked
`to_renew` was fitted on conversations of which some were erased since: the next work on its chain fits it anew before
anything is sorted by it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.periods import PeriodKind
from dagster_project.domain.topics.identity import Change, Event
from dagster_project.domain.topics.model import Fit, TopicModel
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import replacing

ARRAYS = {"centres": np.float32, "reach": np.float64, "weights": np.int64, "parent_of": np.int64}
FORMAT = 1
CALENDAR = frozenset(PeriodKind) - {PeriodKind.WINDOW}
"""Chains of more than one period, by name."""


class TopicModelDamaged(ConfideError):
    """A version that is not what was written; the message names the file and what to do."""


class TopicModels:
    """The versions of one home."""

    def __init__(self, home: Home) -> None:
        self._folder = home.private / "topic_models"

    def versions(self, chain: str, affective_type: str) -> list[date]:
        """The days on which the fits of a chain end, in order."""
        return sorted(date.fromisoformat(p.stem) for p in (self._folder / chain / affective_type).glob("*.npz"))

    def read(self, chain: str, affective_type: str, version: date) -> tuple[TopicModel, bool]:
        """A version, and whether it is to be fitted anew. Raises TopicModelDamaged."""
        path = self._path(chain, affective_type, version)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: np.asarray(stored[name], dtype=kind) for name, kind in ARRAYS.items()}
                about, digest = bytes(stored["about"]), bytes(stored["digest"])
            if digest != _digest(arrays, about):
                raise ValueError
            return _model(arrays, json.loads(about))
        except Exception:  # a broken archive raises whatever its broken part leads to
            raise TopicModelDamaged(
                f"topic model {path.relative_to(self._folder.parent)} is damaged: remove the file, and the topics of "
                "its days are found anew under new ids"
            ) from None

    def write(self, chain: str, affective_type: str, model: TopicModel, to_renew: bool = False) -> None:
        """Write a version whole; equal models give equal bytes."""
        arrays = {name: np.ascontiguousarray(getattr(model, name), dtype=kind) for name, kind in ARRAYS.items()}
        about = json.dumps(_about(model, to_renew), sort_keys=True).encode()
        texts = {"about": np.frombuffer(about, np.uint8), "digest": np.frombuffer(_digest(arrays, about), np.uint8)}
        with replacing(self._path(chain, affective_type, model.fit.end)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays, **texts)  # type: ignore[arg-type]

    def remove(self, chain: str, affective_type: str, version: date) -> None:
        """Forget a version."""
        self._path(chain, affective_type, version).unlink(missing_ok=True)

    def touch(self, days: Iterable[date]) -> None:
        """Mark every version that was fitted on any of these days. One that shares its ids with no other goes at once,
        as does a damaged one: an erasure is never held up.
        """
        wanted = list(days)
        for path in sorted(self._folder.glob("*/*/*.npz")):
            chain, affective_type = path.parent.parent.name, path.parent.name
            try:
                model, to_renew = self.read(chain, affective_type, date.fromisoformat(path.stem))
            except TopicModelDamaged:
                path.unlink()
                continue
            if not any(model.fit.start <= day < model.fit.end for day in wanted):
                continue
            if chain not in CALENDAR:
                path.unlink()
            elif not to_renew:
                self.write(chain, affective_type, model, to_renew=True)

    def _path(self, chain: str, affective_type: str, version: date) -> Path:
        return self._folder / chain / affective_type / f"{version.isoformat()}.npz"


def _digest(arrays: dict[str, NDArray[Any]], about: bytes) -> bytes:
    digest = hashlib.sha256(about)
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.digest()


def _about(model: TopicModel, to_renew: bool) -> dict[str, Any]:
    fit = {**asdict(model.fit), "start": model.fit.start.isoformat(), "end": model.fit.end.isoformat()}
    return {
        "format": FORMAT,
        "to_renew": to_renew,
        "topic_ids": model.topic_ids,
        "parent_ids": model.parent_ids,
        "other_id": model.other_id,
        "names": model.names,
        "fit": fit,
        "events": [[e.change.value, e.topic_id, e.other] for e in model.events],
    }


def _model(arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> tuple[TopicModel, bool]:
    if about["format"] != FORMAT:
        raise ValueError
    fit = dict(about["fit"])
    fit["start"], fit["end"] = date.fromisoformat(fit["start"]), date.fromisoformat(fit["end"])
    model = TopicModel(
        **arrays,
        topic_ids=tuple(about["topic_ids"]),
        parent_ids=tuple(about["parent_ids"]),
        other_id=about["other_id"],
        names=dict(about["names"]),
        fit=Fit(**fit),
        events=tuple(Event(Change(change), topic_id, other) for change, topic_id, other in about["events"]),
    )
    return model, bool(about["to_renew"])
