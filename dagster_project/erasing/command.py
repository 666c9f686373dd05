"""What `confide erase` was asked for: ids from the command line or, so that no shell keeps them, from standard input.

Not here: erasing (`erasure.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from dagster_project.erasing.by_age import erase_expired
from dagster_project.erasing.erasure import Report, erase, request_of
from dagster_project.errors import ConfideError
from dagster_project.sources.confide import identifier
from dagster_project.workspace import Workspace

STDIN = "-"


def erase_asked(
    workspace: Workspace, user_ids: Sequence[str], conversation_ids: Sequence[str], lines: Iterable[str]
) -> Report:
    """Erase users and conversations, or what is expired where none is named. `-` among ids: one id a line of `lines`.

    Raises ConfideError: an empty id is refused, because it is everybody's who has none.
    """
    if not user_ids and not conversation_ids:
        return erase_expired(workspace, datetime.now(UTC).date())
    if STDIN in user_ids and STDIN in conversation_ids:
        raise ConfideError("standard input holds ids of users or of conversations, not both")
    return erase(workspace, request_of(workspace, _ids(user_ids, lines), _ids(conversation_ids, lines)))


def _ids(given: Sequence[str], lines: Iterable[str]) -> list[str]:
    """Ids as ingesting reads them."""
    texts = [text for one in given for text in ((line.rstrip("\r\n") for line in lines) if one == STDIN else (one,))]
    found = [one for text in texts if (one := identifier(text)) is not None]
    if any(identifier(one) is None for one in given) or (given and not found):
        raise ConfideError("an id is empty: nothing was erased")
    return found
