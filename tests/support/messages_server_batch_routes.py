"""The routes of the test server that have to do with batches.

Lives here: how they are made, listed, polled, fetched, canceled and deleted. Not here: a batch's life
(`messages_server_batches.py`).
"""

import asyncio
from typing import Any

import orjson

from tests.support.messages_server_asked import BadRequest
from tests.support.messages_server_batches import Batch, Stream
from tests.support.messages_server_making import Making
from tests.support.messages_server_state import State
from tests.support.messages_server_wire import Call, ClientGone

JSONL = (b"content-type", b"application/x-jsonl")


class BatchRoutes:
    """Everything under /v1/messages/batches."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def create(self, call: Call) -> None:
        """POST. The batch exists, or not, before the latency."""
        state = self._state
        fault = state.fault("batch_create")
        making = Making(state.batches.begin(), state.replies)
        made = False
        try:
            made = await self._make(call, making, wanted=fault is None or fault.processed)
        except BadRequest as why:
            state.books.complaints[str(why)] += 1
            # A client that is still sending would not read the answer.
            await call.body()
            await state.refuse(call, "batch_create", "bad_request", str(why))
            return
        finally:
            if not made:
                making.abandon()
        await self._wait()
        told = making.batch.to_api(_url(call))
        if fault:
            await state.fail(call, "batch_create", fault, orjson.dumps(told))
        elif made:
            await state.ok(call, "batch_create", told)
        else:
            await state.refuse(call, "batch_create", "too_large")

    async def _make(self, call: Call, making: Making, *, wanted: bool) -> bool:
        """Whether there is a batch once the body has come: not if it is unwanted or too large."""
        state = self._state
        settings = state.settings
        async for piece in call.chunks():
            if wanted and call.read <= settings.max_batch_bytes:
                making.feed(piece, state.books, settings.max_batch_requests)
        if not wanted or call.read > settings.max_batch_bytes:
            return False
        making.feed(b"", state.books, settings.max_batch_requests, last=True)
        state.batches.add(making.batch, state.books, settings.batch_seconds, state.batch_faults)
        return True

    async def list(self, call: Call) -> None:
        """GET: the newest first."""
        self._state.batches.settle(self._state.books)
        every = [b for b in reversed(self._state.batches.every.values()) if b.listed]
        ids = [b.id for b in every]
        query = call.query
        limit = max(1, min(1000, int(query.get("limit", "20"))))
        before, after = query.get("before_id"), query.get("after_id")
        end = ids.index(before) if before in ids else len(every)
        start = max(0, end - limit) if before in ids else ids.index(after) + 1 if after in ids else 0
        page = every[start : min(end, start + limit)]
        told = {
            "data": [b.to_api(_url(call)) for b in page],
            "has_more": start > 0 if before else start + limit < end,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
        await self._answer(call, "batch_list", told)

    async def retrieve(self, call: Call) -> None:
        """GET one."""
        if batch := await self._batch(call, "batch_retrieve"):
            batch.polls += 1
            await self._answer(call, "batch_retrieve", batch.to_api(_url(call)))

    async def cancel(self, call: Call) -> None:
        """POST /cancel."""
        await call.body()
        if batch := await self._batch(call, "batch_cancel"):
            self._state.batches.cancel(batch, self._state.settings.batch_seconds)
            await self._answer(call, "batch_cancel", batch.to_api(_url(call)))

    async def delete(self, call: Call) -> None:
        """DELETE: once it has ended."""
        state, batch = self._state, await self._batch(call, "batch_delete")
        if batch is None:
            return
        if not batch.ended_at:
            await state.refuse(call, "batch_delete", "bad_request", "The batch has not ended: cancel it first.")
            return
        fault = state.fault("batch_delete")
        if not fault or fault.processed:
            batch.delete(state.books)
        told = {"id": batch.id, "type": "message_batch_deleted"}
        await self._wait()
        if fault:
            await state.fail(call, "batch_delete", fault, orjson.dumps(told))
        else:
            await state.ok(call, "batch_delete", told)

    async def results(self, call: Call) -> None:
        """GET /results, as a stream."""
        state, batch = self._state, await self._batch(call, "batch_results")
        if batch is None:
            return
        if not batch.ended_at or batch.fated("archived"):
            await state.refuse(call, "batch_results", "bad_request", "The results are not available.")
            return
        if fault := state.fault("batch_results"):
            await state.fail(call, "batch_results", fault, batch.beginning())
            return
        stream = Stream(batch, state.results_faults, state.settings.seed)
        state.books.faults.update(f"results_{kind}" for kind in stream.kinds)
        await call.start(200, JSONL)
        async for block in stream.blocks():
            if call.gone:
                raise ClientGone
            await call.more(block)
        if stream.cut and not stream.cut.cleanly:
            await call.close()
        else:
            await call.more(b"", last=True)
        state.books.calls["batch_results"]["cut" if stream.cut else "ok"] += 1

    async def _batch(self, call: Call, route: str) -> Batch | None:
        """The batch of this address, or None: then it has been answered."""
        self._state.batches.settle(self._state.books)
        batch = self._state.batches.every.get(call.scope["path_params"]["id"])
        if batch is not None and batch.known:
            return batch
        self._state.books.calls[route]["not_found"] += 1
        words = {"type": "not_found_error", "message": "The requested batch was not found."}
        await call.json({"type": "error", "error": words, "request_id": call.request_id}, 404)
        return None

    async def _answer(self, call: Call, route: str, told: Any) -> None:
        await self._wait()
        if fault := self._state.fault(route):
            await self._state.fail(call, route, fault, orjson.dumps(told))
        else:
            await self._state.ok(call, route, told)

    async def _wait(self) -> None:
        if self._state.settings.batch_latency_seconds:
            await asyncio.sleep(self._state.settings.batch_latency_seconds)


def _url(call: Call) -> str:
    """Of this server, as the client sees it."""
    return f"http://{call.headers[b'host'].decode()}"
