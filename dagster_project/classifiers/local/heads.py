"""Linear heads and their weights: plain arrays, checked by digest, loaded without pickle.

Lives here: the file format (`heads.npz` + `manifest.json`), loading, and what a head computes. Not here: fitting
(`training/`), features (`features.py`). Calibration is Platt's: probability = sigmoid(slope * margin + intercept),
fitted on out-of-fold margins (Platt 1999).
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagster_project.classifiers.local.features import FEATURES_VERSION, TABLE_SIZE, Sparse

SHIPPED = Path(__file__).parent / "weights"
ARRAYS, MANIFEST = "heads.npz", "manifest.json"
FORMAT = 1


class WeightsError(Exception):
    """The weights are missing, altered or of another version; nothing is labelled with them."""


@dataclass(frozen=True)
class Heads:
    """A group of linear heads on the same features.

    grams: (TABLE_SIZE, heads). dense: (dense features, heads). bias, slope, intercept, threshold: (heads,).
    """

    names: tuple[str, ...]
    idf: NDArray[np.float32]
    grams: NDArray[np.float32]
    dense: NDArray[np.float32]
    bias: NDArray[np.float32]
    slope: NDArray[np.float32]
    intercept: NDArray[np.float32]
    threshold: NDArray[np.float32]

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """By head, the probability from which on it says yes."""
        return {n: float(t) for n, t in zip(self.names, self.threshold, strict=True)}

    def margins(self, sparse: Sparse, dense: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw scores, shape (heads,). `sparse` is already weighted."""
        columns, values = sparse
        return np.asarray(values @ self.grams[columns] + dense @ self.dense + self.bias, dtype=np.float32)

    def probabilities(self, margins: NDArray[np.float32]) -> dict[str, float]:
        """Calibrated probability by head, in [0, 1], rounded to four decimals."""
        z = np.clip(self.slope * margins + self.intercept, -40.0, 40.0).tolist()
        return {n: round(1.0 / (1.0 + math.exp(-v)), 4) for n, v in zip(self.names, z, strict=True)}

    def chosen(self, probabilities: dict[str, float]) -> list[str]:
        """Heads whose probability reaches their threshold, in order."""
        return [n for n, t in self.thresholds.items() if probabilities[n] >= t]


@dataclass(frozen=True)
class Weights:
    """All groups of heads by name, the manifest, and the digest that names them."""

    groups: dict[str, Heads]
    manifest: dict[str, Any]
    digest: str


def load_weights(folder: Path = SHIPPED) -> Weights:
    """Read and check the weights.

    Raises WeightsError when a file is missing, its digest is not the manifest's, or its shape or version is another.
    """
    try:
        raw_manifest = (folder / MANIFEST).read_bytes()
        manifest = json.loads(raw_manifest)
        arrays = (folder / ARRAYS).read_bytes()
    except (OSError, ValueError):
        raise WeightsError(f"{folder}: {ARRAYS} and {MANIFEST} cannot be read: reinstall the package") from None
    if hashlib.sha256(arrays).hexdigest() != manifest.get("files", {}).get(ARRAYS):
        raise WeightsError(f"{folder / ARRAYS} is not the file the manifest names: reinstall the package")
    if manifest.get("format") != FORMAT or manifest.get("features_version") != FEATURES_VERSION:
        raise WeightsError(f"{folder}: weights of another version: reinstall the package")
    groups = {}
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            for name, spec in manifest["groups"].items():
                groups[name] = _heads(tuple(spec["heads"]), {k: stored[f"{name}.{k}"] for k in _PARTS})
    except (KeyError, ValueError, TypeError, OSError):
        raise WeightsError(f"{folder / ARRAYS} does not hold what the manifest says: reinstall the package") from None
    return Weights(groups, manifest, hashlib.sha256(raw_manifest).hexdigest())


_PARTS = ("idf", "grams", "dense", "bias", "slope", "intercept", "threshold")


def _heads(names: tuple[str, ...], parts: dict[str, NDArray[Any]]) -> Heads:
    floats = {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in parts.items()}
    n = len(names)
    shapes_right = (
        floats["idf"].shape == (TABLE_SIZE,)
        and floats["grams"].shape == (TABLE_SIZE, n)
        and floats["dense"].ndim == 2
        and floats["dense"].shape[1] == n
        and all(floats[k].shape == (n,) for k in ("bias", "slope", "intercept", "threshold"))
    )
    if not shapes_right or not all(np.isfinite(v).all() for v in floats.values()):
        raise ValueError
    return Heads(names, **floats)
