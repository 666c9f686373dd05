"""Files that are broken, hostile or of another shape than they seem: reasons that can be counted, and nothing else."""

import gzip
import json
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.settings import TableSettings
from dagster_project.sources import sharegpt
from dagster_project.sources.elements import read_elements
from dagster_project.sources.outcome import DESCRIPTIONS, LEFT_DESCRIPTIONS, Left, Parsed, Reason, Rejected
from dagster_project.sources.records import Row, read_raw, record_of
from dagster_project.sources.registry import SOURCES, source_named, source_of
from dagster_project.sources.streams import Line
from tests.support.chat_formats import FORMS, ROWS_TABLE, Form
from tests.support.conversations import NOW, json_values, record, turns, write_lines

form = pytest.mark.parametrize("form", FORMS, ids=str)
FIXTURES = Path(__file__).parents[1] / "fixtures" / "formats"


def reasons(path: Path, name: str, table: TableSettings | None = None) -> list[str]:
    """What becomes of a file: a reason, or `read`, for each of its records."""
    outcomes = source_named(name, table).read(path, now=NOW)
    return [o.reason.value if isinstance(o, Rejected) else "read" for o in outcomes]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a record, with a key in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        found += [(node, key) for key in keys]
        waiting += [node[key] for key in keys if isinstance(node[key], (dict, list))]
    return found


def records_of(form: Form) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        talk = [{"role": "system", "content": "s"}, *turns("a", "b", "c", "d")]
        path = form.write(Path(folder) / f"a{form.suffix}", [record("c1", messages=talk), record("c2")])
        raws = [raw for raw in read_raw(path) if not isinstance(raw, Rejected)]
        return [json.loads(json.dumps(record_of(raw), default=str)) for raw in raws]


SOUND = {form: records_of(form) for form in FORMS if form.suffix != ".csv"}


@pytest.mark.parametrize("form", SOUND, ids=str)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_gives_a_conversation_or_a_reason(form: Form, data: st.DataObject) -> None:
    """An export of tomorrow, or of somebody who means harm, must not end an ingest with a traceback."""
    values = deepcopy(SOUND[form])
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(values)))
        if isinstance(container, dict) and data.draw(st.booleans()):
            container.pop(key, None)
        else:
            container[key] = data.draw(json_values)
    with tempfile.TemporaryDirectory() as folder:
        path = write_lines(Path(folder) / "a.jsonl", values)
        source_of(path, table=form.table)
        outcomes = list(source_named(form.name, form.table).read(path, now=NOW))
    assert all(isinstance(o, (Parsed, Rejected)) for o in outcomes)
    assert len(outcomes) <= len(values)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.NAME)
@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=300) | st.text('[]{}",:\\ \nabc1', max_size=300).map(str.encode))
def test_no_bytes_make_a_format_fail(source: Any, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_bytes(content)
        source_of(path, table=ROWS_TABLE)
        assert all(isinstance(o, (Parsed, Rejected)) for o in source.read(path, now=NOW))


@form
def test_a_file_cut_off_gives_what_came_before_and_one_reason_for_the_rest(form: Form, tmp_path: Path) -> None:
    path = form.write(tmp_path / f"a{form.suffix}", [record(f"c{i}", user_id=f"u{i}") for i in range(9)])
    path.write_bytes(path.read_bytes()[:-40])
    found = reasons(path, form.name, form.table)
    if form.suffix == ".parquet":
        assert found == ["truncated_file"]
    elif form.suffix == ".csv":
        assert found.count("read") >= 7  # a CSV says nowhere that it has ended
    else:
        assert sorted(set(found)) in (["invalid_json", "read"], ["read", "truncated_file"]) and found.count("read") == 8


@pytest.mark.parametrize("form", [f for f in FORMS if f.suffix != ".parquet"], ids=str)
def test_a_packed_file_cut_off_is_known_to_be(form: Form, tmp_path: Path) -> None:
    """Half an upload must not pass for a quiet day."""
    path = form.write(tmp_path / f"a{form.suffix}", [record(f"c{i}", user_id=f"u{i}") for i in range(9)])
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-9])
    assert "truncated_file" in reasons(packed, form.name, form.table)


DEEP = b'{"a":' * 30_000 + b"1" + b"}" * 30_000
BROKEN: list[tuple[str, bytes, str]] = [
    ("words", b"{hello}", "invalid_json"),
    ("deep nesting", DEEP, "invalid_json"),
    ("a bare list", b"[1]", "not_an_object"),
    ("a number", b"3", "not_an_object"),
    ("bytes that are not UTF-8", b'{"a": "\xff"}', "invalid_utf8"),
    ("nothing of the format", b'{"a": NaN}', "no_messages"),
]


@pytest.mark.parametrize(("content", "reason"), [(c, r) for _, c, r in BROKEN], ids=[w for w, _, _ in BROKEN])
@pytest.mark.parametrize("source", SOURCES[1:], ids=lambda s: s.NAME)
def test_broken_lines_have_their_reason_and_the_others_go_on(
    source: Any, content: bytes, reason: str, tmp_path: Path
) -> None:
    form = next(f for f in FORMS if f.name == source.NAME)
    path = write_lines(tmp_path / "a.jsonl", [*SOUND[form][-1:], content, *SOUND[form][-1:]])
    assert [r for r in reasons(path, source.NAME) if r not in ("read", "invalid_tree")] == [reason]


def test_nan_and_lone_surrogates_are_read_as_the_canonical_form_reads_them(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "a\ud800b\x00"}]
    value = {"id": "c", "started_at": "2026-10-05T08:00:00Z", "conversations": talk, "score": float("nan")}
    (outcome,) = sharegpt.read(write_lines(tmp_path / "a.jsonl", [value]), now=NOW)
    assert isinstance(outcome, Parsed)
    assert outcome.conversation.messages[0].content == "a\ufffdb\ufffd"


def elements(content: bytes, tmp_path: Path, **options: Any) -> list[tuple[int, Any]]:
    (tmp_path / "a.json").write_bytes(content)
    found = read_elements(tmp_path / "a.json", **options)
    return [(o.number, o.content) if isinstance(o, Line) else (o.line_number, o.reason) for o in found]


def test_a_broken_object_of_an_array_leaves_its_neighbours(tmp_path: Path) -> None:
    assert elements(b'[{"a": 1}, {"b": nope ]}, {"c": "}{"},{"d": [{}]}]', tmp_path) == [
        (1, b'{"a": 1}'),
        (2, b'{"b": nope ]'),
        (3, b'{"c": "}{"}'),
        (4, b'{"d": [{}]}'),
    ]


def test_an_object_too_large_to_hold_is_passed_over(tmp_path: Path) -> None:
    large = b'{"a": "' + b"x" * 5_000_000 + b'", "b": [1, {"c": "' + b"y" * 900_000 + b'"}]}'
    found = elements(b'[{"n": 1}, ' + large + b', {"n": 2}]', tmp_path, max_bytes=1_000_000)
    assert found == [(1, b'{"n": 1}'), (2, Reason.TOO_LONG_LINE), (3, b'{"n": 2}')]
    # Nor is what stands where an object should.
    found = elements(b"[" + b"word " * 400_000 + b'{"n": 2}]', tmp_path, max_bytes=1_000_000)
    assert [n for n, what in found if what == b'{"n": 2}'] and Reason.TOO_LONG_LINE in [what for _, what in found]


@pytest.mark.parametrize("content", [b'[{"a": 1}', b'[{"a": 1},', b'[{"a": 1}, {"b": "x', b'[{"a": 1}, {"b'])
def test_an_array_that_does_not_close_was_cut_off(content: bytes, tmp_path: Path) -> None:
    found = elements(content, tmp_path)
    assert (found[0], found[-1][1]) == ((1, b'{"a": 1}'), Reason.TRUNCATED_FILE)


texts = st.text('ab"\\{}[],: \u2603\n', max_size=8)
values = st.recursive(
    st.integers() | texts | st.none(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3),
    max_leaves=9,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(texts, values, max_size=3), max_size=6), st.sampled_from([None, 2]), st.integers(1, 40))
def test_arrays_are_cut_where_json_says_however_the_pieces_fall(
    objects: list[dict[str, Any]], indent: int | None, size: int
) -> None:
    """A conversation cut in two is two, and its second half is nobody's."""
    from dagster_project.sources.elements import _Splitter

    content = json.dumps(objects, indent=indent, ensure_ascii=False).encode()
    splitter = _Splitter(10_000)
    found = [o for i in range(0, len(content), size) for o in splitter.take(content[i : i + size])]
    found += splitter.end()
    assert [json.loads(o.content) if isinstance(o, Line) else o for o in found] == objects


CSVS: list[tuple[str, bytes, list[str]]] = [
    ("a cell too many", b"chat,said\n1,a\n2,b,c\n", ["read", "invalid_row"]),
    ("bytes that are not UTF-8", b"chat,said\n1,\xff\n2,b\n", ["invalid_utf8", "read"]),
    ("quotes that do not close", b'chat,said\n1,a\n2,"b\n', ["read", "invalid_row"]),
    ("a header alone", b"chat,said\n", []),
    ("nothing", b"", []),
    ("blank lines and a mark of order", b"\xef\xbb\xbfchat,said\r\n\r\n1,a\r\n\r\n", ["read"]),
]


@pytest.mark.parametrize(("content", "expected"), [(c, e) for _, c, e in CSVS], ids=[w for w, _, _ in CSVS])
def test_broken_csv_has_reasons(content: bytes, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    table = TableSettings(conversation_id="chat", human="said")
    outcomes = source_named("table", table).read(tmp_path / "a.csv", now=NOW, require_time=False)
    found = [o.reason.value if isinstance(o, Rejected) else "read" for o in outcomes]
    assert sorted(found) == sorted(expected)


def test_rows_of_parquet_with_other_types_have_reasons(tmp_path: Path) -> None:
    columns = {"conversation_hash": [1.5], "conversation": [[{"role": "user", "content": 3}]], "timestamp": [True]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert reasons(tmp_path / "a.parquet", "wildchat") == ["invalid_id"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"current_node": "gone"}, "invalid_tree"),
        ({"current_node": ["a"]}, "invalid_tree"),
        ({"mapping": []}, "no_messages"),
        ({"create_time": "soon"}, "unreadable_time"),
        ({"create_time": -1}, "implausible_date"),
        ({"id": None, "conversation_id": None}, "read"),
    ],
)
def test_broken_trees_have_reasons(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    (export,) = json.loads((FIXTURES / "chatgpt-export.json").read_text())
    path = write_lines(tmp_path / "a.jsonl", [{**export, **change}])
    assert reasons(path, "chatgpt-export") == [reason]


def test_a_tree_that_runs_in_a_circle_ends(tmp_path: Path) -> None:
    (export,) = json.loads((FIXTURES / "chatgpt-export.json").read_text())
    export["mapping"]["u"]["parent"] = "v"
    assert reasons(write_lines(tmp_path / "a.jsonl", [export]), "chatgpt-export") == ["invalid_tree"]


def test_messages_of_a_flat_tree_whose_parent_is_missing_are_counted(tmp_path: Path) -> None:
    node = {
        "message_tree_id": "t",
        "created_date": "2026-10-05T08:00:00Z",
        "user_id": "u",
        "role": "prompter",
        "text": "x",
    }
    rows = [{**node, "message_id": "a", "parent_id": None}, {**node, "message_id": "b", "parent_id": "gone"}]
    assert sorted(reasons(write_lines(tmp_path / "a.jsonl", rows), "oasst")) == ["invalid_tree", "read"]


def test_nothing_read_or_refused_shows_a_word(tmp_path: Path) -> None:
    """Reprs end up in logs, reasons in reports."""
    for form in SOUND:
        values = json.loads(json.dumps(SOUND[form]).replace('"a"', '"CANARY"'))
        path = write_lines(tmp_path / "a.jsonl", [*values, b'{"CANARY": 1}', b"CANARY"])
        shown = repr(list(source_named(form.name, form.table).read(path, now=NOW)))
        assert "CANARY" not in shown
    assert "CANARY" not in repr(Row(1, {"CANARY": "CANARY"}))


def test_every_reason_and_everything_left_out_is_described() -> None:
    assert set(DESCRIPTIONS) == set(Reason) and set(LEFT_DESCRIPTIONS) == set(Left)
