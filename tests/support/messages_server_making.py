"""A batch while its body still comes in: 256 MB are read in pieces, worked on at once, and never held.

Lives here: cutting a body into items, and making each item's result. Not here: a batch's life afterwards
(`messages_server_batches.py`).
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

import orjson

from tests.support.messages_server_asked import Asked, BadRequest, read
from tests.support.messages_server_batches import ERRORED, KEY_BYTES, OUTCOMES, SUCCEEDED, Batch
from tests.support.messages_server_books import Bookkeeper
from tests.support.messages_server_replies import Replies, billed, is_bad

DECODE = json.JSONDecoder()
OPENING = re.compile(r'\s*\{\s*"requests"\s*:\s*\[')
BETWEEN = re.compile(r"[\s,]*")
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ITEM_ERRORS = {
    "errored": ("api_error", "Internal server error"),
    "overloaded": ("overloaded_error", "Overloaded"),
    "invalid": ("invalid_request_error", "messages: the prompt cannot be taken"),
}


class Items:
    """The items of a body that comes in pieces. No more than a few of them are in memory at once."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._begun, self._ended = "", False, False
        self._enough = 0

    def feed(self, piece: bytes, *, last: bool = False) -> Iterator[dict[str, Any]]:
        """What is complete by now. Raises BadRequest when it is no batch."""
        try:
            self._text += self._decoder.decode(piece, last)
        except UnicodeDecodeError:
            raise BadRequest("the body is not UTF-8") from None
        if self._ended or (len(self._text) < self._enough and not last):
            return
        at = 0
        if not self._begun:
            if not (opening := OPENING.match(self._text)):
                if last or len(self._text) > 1000:
                    raise BadRequest("requests: field required")
                return
            self._begun, at = True, opening.end()
        while True:
            at = BETWEEN.match(self._text, at).end()  # type: ignore[union-attr]
            if self._text[at : at + 1] == "]":
                self._ended = True
                return
            try:
                item, end = DECODE.raw_decode(self._text, at)
            except RecursionError:
                raise BadRequest("the request body is nested too deeply") from None
            except ValueError:
                break
            at = end
            yield item
        # What is left is the beginning of an item: tried again when twice as much is there.
        self._text = self._text[at:]
        self._enough = 2 * len(self._text)
        if last:
            raise BadRequest("the request body is not valid JSON")


class Making:
    """A batch whose body is coming in."""

    def __init__(self, batch: Batch, replies: Replies) -> None:
        self.batch = batch
        self._replies, self._items = replies, Items()
        self._file: IO[bytes] = batch.file.open("wb")
        self._ids: set[str] = set()

    def feed(self, piece: bytes, books: Bookkeeper, most: int, *, last: bool = False) -> None:
        """Works on what is complete by now. Raises BadRequest."""
        self.batch.size += len(piece)
        for item in self._items.feed(piece, last=last):
            if self.batch.requests == most:
                raise BadRequest(f"requests: at most {most} requests are allowed")
            self._add(item, books)
        if last:
            if not self.batch.requests:
                raise BadRequest("requests: at least one request is required")
            self.batch.delivered = bytearray(self.batch.requests)
            self._ids.clear()
            self._file.close()

    def abandon(self) -> None:
        """It never came to be."""
        self._file.close()
        self.batch.file.unlink(missing_ok=True)

    def _add(self, item: Any, books: Bookkeeper) -> None:
        if not isinstance(item, dict) or not CUSTOM_ID.fullmatch(str(item.get("custom_id", ""))):
            raise BadRequest("requests.custom_id: string should match pattern '^[a-zA-Z0-9_-]{1,64}$'")
        batch, custom_id = self.batch, item["custom_id"]
        if custom_id in self._ids:
            raise BadRequest("requests: custom_id must be unique")
        self._ids.add(custom_id)
        try:
            asked = read(item.get("params"))
            key, (outcome, result, bad) = asked.key, self._result(asked, books)
        except BadRequest as why:
            # As with the API, one item's parameters are looked at later, by themselves.
            key, outcome, bad = bytes(KEY_BYTES), ERRORED, False
            result = _error("invalid_request_error", str(why))
            books.complaints[str(why)] += 1
        message = result.get("message")
        batch.usage.extend(billed(message["usage"]).values() if message else (0, 0, 0, 0))
        self._file.write(orjson.dumps({"custom_id": custom_id, "result": result}) + b"\n")
        batch.custom_ids.append(custom_id)
        batch.keys += key
        batch.outcomes.append(outcome)
        batch.bad.append(bad)
        batch.lines.append(self._file.tell())
        batch.requests += 1

    def _result(self, asked: Asked, books: Bookkeeper) -> tuple[int, dict[str, Any], bool]:
        tries = books.tries(asked.key)
        if asked.key[8:16] not in self.batch.asks:
            self.batch.asks[asked.key[8:16]] = {"model": asked.model, "properties": asked.properties}
        if fault := self._replies.item_fault(asked, tries):
            books.faults[f"item_{fault.kind}"] += 1
            if fault.kind in ("expired", "canceled"):
                return OUTCOMES.index(fault.kind), {"type": fault.kind}, False
            type_, words = ITEM_ERRORS[fault.kind]
            return ERRORED, _error(type_, self._replies.leak(asked, words) or words), False
        spoilt = self._replies.reply_fault(asked, tries)
        if spoilt:
            books.faults[f"reply_{spoilt.kind}"] += 1
        message = self._replies.message(asked, spoilt, batch=True)
        return SUCCEEDED, {"type": "succeeded", "message": message}, is_bad(spoilt)


def _error(type_: str, words: str) -> dict[str, Any]:
    error = {"type": type_, "message": words}
    return {"type": "errored", "error": {"type": "error", "error": error, "request_id": None}}
