"""Embedders of topics other than the packaged one: a server of one's own or a provider's, or sentence-transformers.

Lives here: which one the settings choose, the request over HTTP in the form of `/v1/embeddings`, and a model that
sentence-transformers runs on this machine. Not here: the packaged MiniLM (`classifiers/local/embedder.py`), what is
embedded (`reading.py`), the cache (`classifiers/cache.py`): what was embedded once is not sent again.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from dagster_project.classifiers.cache import Embeds
from dagster_project.domain.topics.groups import Vectors, unit
from dagster_project.errors import ConfideError
from dagster_project.settings import TopicsSettings, host_of

if TYPE_CHECKING:
    from httpx2 import Client, Response

KEY = "EMBEDDINGS_API_KEY"
"""The environment variable with the server's key; sent as a bearer token where it is set."""
AT_ONCE = 64
TRIES = 4
LONGEST_WAIT_SECONDS = 60.0
TIMEOUT_SECONDS = 60.0


class EmbedderError(ConfideError):
    """Texts cannot be embedded; the message names the server or the package and what to do, and quotes no text."""


def embedder_of(chosen: TopicsSettings) -> Embeds | None:
    """The embedder that the settings name; None for the packaged one. Loads and sends nothing."""
    if chosen.embedder == "http":
        return HttpEmbedder(str(chosen.embedder_url), str(chosen.embedder_model))
    if chosen.embedder == "sentence-transformers":
        return SentenceTransformers(str(chosen.embedder_model))
    return None


class HttpEmbedder:
    """A server that speaks `POST {url}/embeddings` with `{"model", "input": […]}`. url: up to and with its `/v1`.

    The address was judged with the settings: https, or this machine. wait: sleeps some seconds before a further try.
    """

    def __init__(self, url: str, model: str, wait: Callable[[float], None] = time.sleep) -> None:
        self.url, self.model, self._wait = url.rstrip("/"), model, wait
        self.dimension = 0
        """Known once something was embedded."""

    @property
    def name(self) -> str:
        return f"http-{host_of(self.url)}-{self.model}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (len(texts), dimension), rounded to half precision. Raises EmbedderError."""
        parts = [self._embedded(texts[start : start + AT_ONCE]) for start in range(0, len(texts), AT_ONCE)]
        if not parts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        if len({part.shape[1] for part in parts} | ({self.dimension} if self.dimension else set())) > 1:
            raise EmbedderError(f"the embedder at {host_of(self.url)} gave vectors of more than one length")
        vectors = np.concatenate(parts)
        self.dimension = vectors.shape[1]
        return unit(vectors).astype(np.float16).astype(np.float32)

    @cached_property
    def _client(self) -> "Client":
        from httpx2 import Client

        for name in ("httpx2", "httpcore2"):  # at DEBUG they write what is sent
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))
        headers = {"authorization": f"Bearer {key}"} if (key := os.environ.get(KEY)) else {}
        # A redirect could take text elsewhere; and what is for this machine must not go through somebody's proxy.
        return Client(
            timeout=TIMEOUT_SECONDS,
            headers=headers,
            follow_redirects=False,
            trust_env=self.url.startswith("https:"),
        )

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        from httpx2 import HTTPError

        body = {"model": self.model, "input": [text.encode("utf-8", "replace").decode() for text in texts]}
        said = "did not answer"
        for attempt in range(TRIES):
            try:
                answer = self._client.post(f"{self.url}/embeddings", json=body)
            except HTTPError as error:
                said = f"did not answer ({type(error).__name__})"
                self._pause(attempt, None)
                continue
            if answer.status_code == 200:
                return self._vectors(answer, len(texts))
            said = f"answered {answer.status_code}"
            if answer.status_code not in (408, 409, 429) and answer.status_code < 500:
                break
            self._pause(attempt, answer.headers.get("retry-after"))
        raise EmbedderError(
            f"the embedder at {host_of(self.url)} {said}: look at embedder_url, embedder_model and {KEY}"
        ) from None

    def _pause(self, attempt: int, asked: str | None) -> None:
        if attempt + 1 < TRIES:
            wanted = float(asked) if asked and asked.isdecimal() else float(2**attempt)
            self._wait(min(wanted, LONGEST_WAIT_SECONDS))

    def _vectors(self, answer: "Response", n: int) -> Vectors:
        """The reply's vectors in the order asked; by their own index, as a server may answer in another."""
        try:
            rows: dict[int, Any] = {int(row["index"]): row["embedding"] for row in answer.json()["data"]}
            vectors = np.array([rows[i] for i in range(n)], dtype=np.float32)
            if len(rows) != n or vectors.ndim != 2 or not vectors.shape[1] or not np.isfinite(vectors).all():
                raise ValueError
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise EmbedderError(
                f"the embedder at {host_of(self.url)} gave no list of vectors, one a text: is it /v1/embeddings?"
            ) from None
        return vectors


class SentenceTransformers:
    """A model that sentence-transformers runs here, by its name or folder. The package is an extra."""

    def __init__(self, model: str) -> None:
        if find_spec("sentence_transformers") is None:
            raise EmbedderError("sentence-transformers is not installed: pip install 'confide[sentence-transformers]'")
        self.model = model

    @property
    def name(self) -> str:
        return f"sentence-transformers-{self.model}"

    @cached_property
    def _loaded(self) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(self.model)
        except Exception as error:
            raise EmbedderError(
                f"sentence-transformers cannot load embedder_model ({type(error).__name__}): look at its name or folder"
            ) from None

    @property
    def dimension(self) -> int:
        return int(self._loaded.get_sentence_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (len(texts), dimension), rounded to half precision.

        One text a run: in a padded batch a vector depends on its neighbours, and equal conversations would give other
        topics on another day.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        made = self._loaded.encode(list(texts), batch_size=1, convert_to_numpy=True, show_progress_bar=False)
        return unit(np.asarray(made, dtype=np.float32)).astype(np.float16).astype(np.float32)
