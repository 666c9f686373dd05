"""Processes that need not load everything again: forked from one that has, and that does nothing else.

A command of ours spends seconds on loading libraries, dbt as long again on getting ready, and the tests run hundreds of
them. Each is a process of its own here too, with its own memory, environment, folder, output and exit code; only what
importing brings is there already. Importing ours reads no environment and opens nothing
(`tests/architecture/test_importing_is_free.py`), so nothing of one command reaches another. Not here: homes
(`homes.py`), the client through which Dagster starts dbt (`warm_dbt.py`). What a test kills, or gives an environment that
libraries read while they load, starts cold.

`python -m tests.support.warm FOLDER` is the process that forks; it ends when its socket in FOLDER is removed.
"""

import atexit
import contextlib
import fcntl
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
FOLDER = "TESTS_WARM"
"""Variable that names the folder of this whole run of tests in which the socket lies (`conftest.py`)."""

CONFIDE, DBT = "dagster_project.cli.main", "dagster_project.dbt_process"
LIBRARIES = (
    "pydantic_settings", "typer", "rich.progress", "sqlalchemy", "duckdb", "pandas", "scipy.optimize", "scipy.stats",
    "dagster", "dagster_dbt", "dbt.cli.main", "dbt.adapters.duckdb", "great_expectations", "anthropic",
)  # fmt: skip
"""Ours load in no time. Not polars and onnxruntime: their threads do not come along into a fork."""


def folder() -> Path | None:
    """Where the socket of this run of tests is, or is to be; None outside a run of tests."""
    return Path(os.environ[FOLDER]) if FOLDER in os.environ else None


def parsed_home(where: Path) -> Path:
    """A home whose dbt project is parsed; it is there when a process was asked for."""
    return where / "home"


def run(
    where: Path,
    module: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    out: int,
    err: int,
    wait: float = 600,
) -> int:
    """Run `main()` of a module as a process with these arguments and this whole environment; its exit code.

    out, err: file descriptors that it writes to. Raises TimeoutError after `wait` seconds.
    """
    asked = {"module": module, "words": list(words), "environment": dict(environment), "cwd": str(Path.cwd())}
    with connected(where) as connection:
        connection.settimeout(wait)
        message = json.dumps(asked).encode()
        socket.send_fds(connection, [len(message).to_bytes(8, "big")], [out, err])
        connection.sendall(message)
        return int(connection.recv(64))


def connected(where: Path) -> socket.socket:
    """A connection to the process that forks, which the first to ask starts."""
    address = where / "socket"
    with (where / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            command = [sys.executable, "-m", "tests.support.warm", str(where)]
            environment = {**os.environ, "COLUMNS": "200", "TZ": "UTC"}
            # Not our output: whoever reads it to its end would wait for the server's.
            with (where / "log").open("w") as log:
                server = subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
                )  # fmt: skip
            while not address.exists():
                assert server.poll() is None, (where / "log").read_text()
                time.sleep(0.02)
            server.returncode = 0  # it outlives this process: nobody is to wait for it
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(address))
    return connection


def _serve(where: Path) -> None:
    for module in LIBRARIES:
        importlib.import_module(module)
    _ready_dbt(parsed_home(where))
    address = where / "socket"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(where / "opening"))
        listening.listen(64)
        listening.settimeout(1)
        (where / "opening").rename(address)
        while address.exists():
            with contextlib.suppress(TimeoutError):
                connection, _ = listening.accept()
                if os.fork() == 0:
                    listening.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _attend(connection, where)
                connection.close()


def _ready_dbt(home: Path) -> None:
    """Parse the project as the first run of a home does, then once more here: dbt builds its own classes meanwhile."""
    from dbt.cli.main import dbtRunner

    from dagster_project.dbt_project import manifest_path, use_home
    from dagster_project.home import Home
    from dagster_project.storage.warehouse import DBT_PROJECT

    manifest_path(Home(home))
    use_home(Home(home))
    os.chdir(DBT_PROJECT)
    assert dbtRunner().invoke(["--quiet", "parse"]).success
    os.chdir(ROOT)


def _attend(connection: socket.socket, where: Path) -> NoReturn:
    """In a fork of the server: fork the command, wait for its end, tell its exit code."""
    connection.setblocking(True)
    head, given, _, _ = socket.recv_fds(connection, 8, 2)
    if not head:
        os._exit(0)  # somebody only waited until the server was there
    left, parts = int.from_bytes(head, "big"), []
    while left and (part := connection.recv(left)):
        parts.append(part)
        left -= len(part)
    asked = json.loads(b"".join(parts))
    command = os.fork()
    if command == 0:
        os.dup2(given[0], 1)
        os.dup2(given[1], 2)
        for descriptor in (*given, connection.detach()):
            os.close(descriptor)
        _become(asked, where)
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(asked: dict[str, Any], where: Path) -> NoReturn:
    """In the fork that is the command: run it, and end with its exit code.

    Not through the interpreter's own end: it would wait for threads of libraries that stayed behind in the server.
    """
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    os.umask(asked.get("umask", 0o022))
    os.chdir(asked["cwd"])
    sys.argv = [asked["module"], *asked["words"]]
    code: object = 0
    try:
        if asked["module"] == CONFIDE:
            from dagster_project import dbt_project

            dbt_project.DBT = [sys.executable, "-I", "-S", str(Path(__file__).with_name("warm_dbt.py")), str(where)]
        importlib.import_module(asked["module"]).main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
