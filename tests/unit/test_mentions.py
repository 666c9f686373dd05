"""A refused record of somebody who was erased must be known as theirs, whatever shape it has."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.sources.mentions import ids_in, ids_in_path

ID = "u-4711-erz"


@pytest.mark.parametrize(
    "record",
    [
        {"user_id": ID, "messages": "no list"},
        {"user": {"name": ID}},
        {"uuid": ID, "chat_messages": []},
        {"author": {"metadata": {"key": [ID]}}},
        {"conversationId": ID},
        {"hashed_ip": ID},
        [{"account": {"uuid": ID}}],
    ],
)
def test_an_id_is_found_under_the_keys_of_many_formats(record: Any) -> None:
    assert ID in ids_in(json.dumps(record).encode())


@pytest.mark.parametrize(
    "original",
    [
        b'{"user_id": "%s", "messages": [{"role": "user", "content": "cut' % ID.encode(),
        b'{"user_id" :  "%s", broken}' % ID.encode(),
        b'\xef\xbb\xbf{"user_id": "%s"}' % ID.encode(),
        b'{"a": "\xff\xfe", "conversation_id": "%s"}' % ID.encode(),
        b'{"user_id": "u-4711\\u002derz", "x": NaN}',
    ],
)
def test_an_id_is_found_in_a_record_that_is_not_json(original: bytes) -> None:
    assert ID in ids_in(original)


def test_whole_numbers_are_ids_as_ingesting_reads_them() -> None:
    assert ids_in(b'{"user_id": 12, "account_id": 13.0}') == {"12", "13"}
    assert ids_in(b'{"user_id": 12, "account_id": 13.0, broken') == {"12", "13"}


def test_what_is_said_and_what_is_counted_is_no_id() -> None:
    """Else erasing user 5 would take out everybody's records with a 5 in them."""
    record = {"content": ID, "n_tokens": 5, "messages": [{"role": "user", "content": "5"}], "time": 5}
    assert ids_in(json.dumps(record).encode()) == set()
    assert ids_in(b'{"n_tokens": 5, "content": "5", broken') == set()


def test_an_export_named_after_its_person_is_theirs() -> None:
    assert {"u-4711", "u-4711.jsonl.gz"} <= ids_in_path("/data/chats/u-4711.jsonl.gz")
    assert ids_in_path("") == set()


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(original: bytes) -> None:
    ids_in(original)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_no_record_makes_it_fail(record: Any) -> None:
    ids_in(json.dumps(record).encode())
