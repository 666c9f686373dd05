"""The one family of errors whose words may be shown and logged.

A `ConfideError` says what, where and what to do next, in our own words and without a value from a conversation.
Any other exception may quote text (polars, DuckDB and JSON errors do): `scrubbed` lets its type and place
through and nothing else. Not here: the errors themselves, each beside what raises it.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parent


class ConfideError(Exception):
    """An error whose message is safe to show, log and store."""


class UnexpectedError(ConfideError):
    """A foreign error, reduced to its type and the place in Confide's code where it surfaced."""


def place_of(error: BaseException) -> str:
    """File and line of the innermost frame that is Confide's own; never a value."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(PACKAGE)]
    if not frames:
        return "outside Confide's code"
    return f"{Path(frames[-1].filename).relative_to(PACKAGE.parent)}:{frames[-1].lineno}"


@contextmanager
def scrubbed(doing: str) -> Iterator[None]:
    """Turn any foreign exception into an `UnexpectedError` that cannot carry text.

    doing: what was being done, e.g. "labelling 2026-10-05".
    """
    try:
        yield
    except ConfideError as error:
        error.__cause__ = None
        error.__suppress_context__ = True
        raise
    except Exception as error:
        raise UnexpectedError(f"{doing}: {type(error).__name__} at {place_of(error)}") from None
