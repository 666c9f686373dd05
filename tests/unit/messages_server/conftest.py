"""One server a file, as new for each test, and a client of it that never tries again by itself."""

from collections.abc import Iterator

import anthropic
import pytest

from tests.support.messages_server import MessagesServer, messages_server


@pytest.fixture(scope="module")
def running() -> Iterator[MessagesServer]:
    with messages_server() as server:
        yield server


@pytest.fixture
def server(running: MessagesServer) -> MessagesServer:
    running.reset()
    return running


@pytest.fixture
def client(server: MessagesServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0, timeout=20) as client:
        yield client
