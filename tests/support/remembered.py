"""What a release withholds, worked out once for the same rows in a whole run of tests.

Suppression takes seconds, and tests of how a release is written, frozen, killed or scanned make the same one over and
over. It is a pure function of rows, rules and earlier editions (`domain/disclosure/suppression.py`), so the rows that it
gave are kept by all that it was given. Not for tests of what is withheld: those call it themselves.
"""

import hashlib
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import dagster_project.release as release_module
from tests.support import warm

suppress = release_module.suppress


@contextmanager
def remembered_suppression() -> Iterator[None]:
    """Releases of this process take what is withheld from memory, where any test of this run was given the same."""
    where = warm.folder()
    if where is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_module, "suppress", lambda *given, **named: _remembered(where, given, named))
        yield


@contextmanager
def writing_alone() -> Iterator[None]:
    """That, and an open gate: for tests of how a release is written. The gate has tests of its own, and takes seconds."""
    with pytest.MonkeyPatch.context() as patch, remembered_suppression():
        patch.setattr(release_module, "gate", lambda frames, policy: None)
        yield


def _remembered(where: Path, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    key = hashlib.sha256(pickle.dumps((given, sorted(named.items())))).hexdigest()
    file = where / f"suppressed-{key}"
    if not file.exists():
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(pickle.dumps(suppress(*given, **named)))
        fresh.rename(file)
    return pickle.loads(file.read_bytes())
