"""A foreign error may quote a conversation; nothing of it may reach a log through its message or its chain."""

import traceback

import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from dagster_project.errors import ConfideError, UnexpectedError, scrubbed

CANARY = "Zebedee Quill, zq@example.org"


def everything_told(error: BaseException) -> str:
    """What Python would print of an error, and what Dagster would store of it."""
    stored = serializable_error_info_from_exc_info((type(error), error, error.__traceback__))
    return "".join(traceback.format_exception(error)) + repr(stored)


def test_a_foreign_error_loses_its_words_and_its_chain() -> None:
    with pytest.raises(UnexpectedError) as caught, scrubbed("labelling 2026-10-05"):
        int(CANARY)
    told = everything_told(caught.value)
    assert "labelling 2026-10-05: ValueError" in told
    assert CANARY not in told and "Zebedee" not in told


def test_our_own_words_pass_without_what_they_were_raised_from() -> None:
    with pytest.raises(ConfideError) as caught, scrubbed("reading"):
        try:
            int(CANARY)
        except ValueError as error:
            raise ConfideError("3 rows were not read") from error
    assert "3 rows" in str(caught.value)
    assert CANARY not in everything_told(caught.value)
