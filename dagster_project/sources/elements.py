"""JSON files that are not lines: one array of objects, or objects over several lines, cut into objects as they stream.

Lives here: finding where each object begins and ends, in bounded memory, without understanding it; a broken one does
not take its neighbours with it. Not here: lines (`streams.py`), which of the two a file is (`records.py`), decoding.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dagster_project.sources.outcome import Reason, Rejected
from dagster_project.sources.streams import (
    KEPT_OF_LONG_LINE,
    MAX_LINE_BYTES,
    BytesRead,
    FileProblem,
    Line,
    chunks_of,
)

_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_PLAIN = rb'[^{}\[\]"]++'
_FLAT = rb"\{(?:%b|%b)*+\}|\[(?:%b|%b)*+\]" % (_TEXT, _PLAIN, _TEXT, _PLAIN)
# Whole strings and innermost objects at once: the fewer steps are Python's, the nearer this comes to a parser in C.
_WITHIN = re.compile(rb"(?:%b|%b|%b)++" % (_TEXT, _PLAIN, _FLAT), re.DOTALL)
_BETWEEN = re.compile(rb"[\s,}\[\]\x1e\xef\xbb\xbf]*+")
_STRAY = re.compile(rb"[^{\n]++")
_OPENING, _CLOSING, _QUOTE = frozenset(b"{["), frozenset(b"}]"), ord('"')


def read_elements(
    path: Path, bytes_read: BytesRead | None = None, max_bytes: int = MAX_LINE_BYTES
) -> Iterator[Line | Rejected]:
    """The objects of a file in order, counted from 1; what stands between them and is none, too.

    Of an object longer than `max_bytes` the beginning is kept and the rest passed over. A file that breaks off gives
    its whole objects and then one `Rejected`.
    """
    splitter = _Splitter(max_bytes)
    try:
        for chunk in chunks_of(path, bytes_read):
            yield from splitter.take(chunk)
        yield from splitter.end()
    except FileProblem as problem:
        yield splitter.broken(problem.reason)


class _Splitter:
    """Where the cutting is: the bytes not done with, how deep inside an object, how many arrays are open around it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer, self._at, self._wanted = bytearray(), 0, 1
        self._depth, self._arrays, self._number = 0, 0, 1
        self._dropped, self._beginning = 0, b""

    def take(self, chunk: bytes) -> Iterator[Line | Rejected]:
        """What a further piece of the file completes."""
        self._buffer += chunk
        if len(self._buffer) < self._wanted:
            return
        yield from self._cut(last=False)

    def end(self) -> Iterator[Line | Rejected]:
        """What is left when the file has ended."""
        yield from self._cut(last=True)
        if self._depth or self._arrays > 0:
            yield self.broken(Reason.TRUNCATED_FILE)

    def broken(self, reason: Reason) -> Rejected:
        """The object that the file breaks off in."""
        length = self._dropped + len(self._buffer)
        beginning = self._beginning or bytes(self._buffer[:KEPT_OF_LONG_LINE])
        return Rejected(reason, self._number, beginning, length)

    def _cut(self, last: bool) -> Iterator[Line | Rejected]:
        buffer, start = self._buffer, 0
        while True:
            if not self._depth:
                between = _BETWEEN.match(buffer, self._at)
                skipped = between[0] if between else b""
                self._arrays = max(self._arrays + skipped.count(b"[") - skipped.count(b"]"), 0)
                start = self._at = self._at + len(skipped)
                if start == len(buffer):
                    break
                if buffer[start] != ord("{"):
                    stray = _STRAY.match(buffer, start)
                    end = stray.end() if stray else start + 1
                    if end == len(buffer) and not last and end - start < self._max_bytes:
                        break
                    yield self._done(bytes(buffer[start:end]))
                    self._at = end
                    continue
                self._depth, self._at = 1, start + 1
            if not self._inside():
                break
            yield self._done(bytes(buffer[start : self._at]))
        self._keep_from(start)

    def _inside(self) -> bool:
        """Go on inside an object; whether it has ended."""
        buffer = self._buffer
        while True:
            run = _WITHIN.match(buffer, self._at)
            if run:
                self._at = run.end()
            if self._at == len(buffer) or buffer[self._at] == _QUOTE:
                return False  # the rest, or the end of a string, is still to come
            self._depth += 1 if buffer[self._at] in _OPENING else -1
            self._at += 1
            if not self._depth:
                return True

    def _keep_from(self, start: int) -> None:
        unfinished = len(self._buffer) - start
        if self._dropped or unfinished > self._max_bytes:
            self._beginning = self._beginning or bytes(self._buffer[start : start + KEPT_OF_LONG_LINE])
            self._dropped += self._at - start
            start = self._at
        del self._buffer[:start]
        self._at -= start
        # A string cut at the end is looked through from its beginning again: twice as much first, so that it adds up.
        self._wanted = len(self._buffer) + (len(self._buffer) - self._at) + 1

    def _done(self, content: bytes) -> Line | Rejected:
        number = self._number
        self._number += 1
        if self._dropped or len(content) > self._max_bytes:
            length = self._dropped + len(content)
            beginning = self._beginning or content[:KEPT_OF_LONG_LINE]
            self._dropped, self._beginning = 0, b""
            return Rejected(Reason.TOO_LONG_LINE, number, beginning, length)
        return Line(number, content)
