"""A throwaway PostgreSQL: its own cluster in a temporary folder, reached by a socket there, gone afterwards.

Not here: installing the server (`install_postgres.sh`).
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WAIT_SECONDS = 60


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of an empty database on a server of one's own. Skips where PostgreSQL or its driver is missing."""
    psycopg2 = pytest.importorskip("psycopg2")
    postgres, initdb = _program("postgres"), _program("initdb")
    if postgres is None or initdb is None:
        pytest.skip("no PostgreSQL: run tests/support/install_postgres.sh")
    # Not pytest's folder: the server refuses to run as root, and who it runs as then may not look into root's.
    folder = Path(tempfile.mkdtemp(prefix="confide-pg-", dir="/tmp"))
    data = folder / "data"
    data.mkdir(mode=0o700)
    as_user: dict[str, object] = {}
    user = pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        person = pwd.getpwnam("postgres")
        as_user = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
        user = person.pw_name
        for path in (folder, data):
            os.chown(path, person.pw_uid, person.pw_gid)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "Asia/Kolkata"}
    try:
        options = ["--auth=trust", f"--username={user}", "--encoding=UTF8", "--no-sync"]
        subprocess.run(
            [initdb, "-D", str(data), *options],
            check=True,
            capture_output=True,
            cwd=folder,
            env=environment,
            timeout=WAIT_SECONDS,
            **as_user,  # type: ignore[call-overload]
        )
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "shared_buffers": "32MB",
            # A ledger must not depend on what a server's own defaults are.
            "default_transaction_isolation": "repeatable read",
        }
        command = [postgres, "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]
        log = (folder / "log").open("wb")
        with log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, **as_user) as server:  # type: ignore[call-overload]
            try:
                deadline = time.monotonic() + WAIT_SECONDS
                while True:
                    try:
                        psycopg2.connect(host=str(folder), user=user, dbname="postgres").close()
                        break
                    except psycopg2.OperationalError:
                        if server.poll() is not None or time.monotonic() > deadline:
                            raise RuntimeError((folder / "log").read_text()[-2000:]) from None
                        time.sleep(0.05)
                yield f"postgresql://{user}@/postgres?host={folder}"
            finally:
                server.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
