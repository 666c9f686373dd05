"""dbt, forked from the process that is ready for it: `python -I -S warm_dbt.py FOLDER build …` is `dbt build …`.

Not here: that process (`warm.py`), which is not imported: starting has to cost nothing.
"""

import json
import os
import socket
import sys
from pathlib import Path


def main(where: str, *words: str) -> int:
    """Ask for it with this process's environment and output; its exit code."""
    asked = {
        "module": "dagster_project.dbt_process",
        "words": words,
        "environment": dict(os.environ),
        "cwd": str(Path.cwd()),
    }
    asked["umask"] = os.umask(0o077)
    message = json.dumps(asked).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(Path(where) / "socket"))
        socket.send_fds(connection, [len(message).to_bytes(8, "big")], [1, 2])
        connection.sendall(message)
        return int(connection.recv(64))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
