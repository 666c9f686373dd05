"""The methods of a release as one file, `methods.json`: what was asked, by whom, of which sample, and counted how.

Everything in it is the codebook's, the policy's, or stands in the manifest and the published tables already, so that it
tells nothing of anybody. Definitions are kept by their digest: a period names the ones that it was labelled by, however
often a facet was reworded since. Not here: where it is written (`storage/publication.py`), the prompts themselves
(`classifiers/`), of which the hash is given, prose about the method (`docs/researchers.md`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from dagster_project.domain.tables import AGREEMENT, AGREEMENT_BY
from dagster_project.storage.published import Snapshot

BUNDLE = "methods.json"
OF_A_PERIOD = (
    "key", "revision", "labellers", "facet_versions", "definitions", "prompt_hashes", "not_measured", "sample_design",
    "correction", "code",
)  # fmt: skip


def bundle(definitions: Mapping[str, Any]) -> Callable[[Mapping[str, pl.DataFrame], Mapping[str, Any]], str]:
    """What makes the file of all published tables and the manifest. definitions: every facet's, by `digest_of`."""

    def made(tables: Mapping[str, pl.DataFrame], manifest: Mapping[str, Any]) -> str:
        periods = manifest["periods"]
        methods = {
            "release_id": manifest["release_id"],
            "code_version": manifest["code_version"],
            "periods": [
                {**{name: one[name] for name in OF_A_PERIOD if name in one}, "policy": one["policy"]["digest"]}
                for one in periods
            ],
            "policies": {one["policy"]["digest"]: one["policy"] for one in periods},
            "definitions": dict(definitions),
            **{
                name: tables[name].filter(~pl.col("suppressed")).drop("suppressed").to_dicts()
                for name in (AGREEMENT.name, AGREEMENT_BY.name)
            },
        }
        return json.dumps(methods, indent=2, sort_keys=True, default=str, ensure_ascii=False) + "\n"

    return made


def digest_of(definition: Mapping[str, Any]) -> str:
    """SHA-256 of a facet's definition: equal digests mean that the same was asked."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


def definitions_of(snapshot: Snapshot) -> dict[str, Any]:
    """The definitions of a release by their digest; none where it is older than the file, or the file is damaged."""
    try:
        found = json.loads((snapshot.path / BUNDLE).read_bytes())["definitions"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(found) if isinstance(found, dict) else {}
