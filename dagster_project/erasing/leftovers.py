"""What killed processes and libraries left lying about: temporary files, spill files, logs of a tool.

Only called while alone in a home, when no such file belongs to anybody. Not here: anything that is kept on purpose.
"""

import shutil
from pathlib import Path

from dagster_project.home import Home


def sweep(home: Home) -> int:
    """Remove every temporary file of the private places, and dbt's logs and results, whose errors may quote a key.

    Returns how many files there were. What is named `.rotated` belongs to a key rotation that never came to be.
    """
    gone = 0
    for folder in (home.landing, home.private, home.quarantine, home.warehouse.parent):
        for path in folder.rglob(".*"):
            if path.suffix in (".tmp", ".rotated") and path.is_file():
                gone += _remove(path)
    for pattern in ("logs/dbt.log*", "target/**/run_results.json", "target/**/dbt.log*"):
        for path in (home.private / "dbt").glob(pattern):
            gone += _remove(path)
    for path in home.tmp.iterdir() if home.tmp.exists() else ():
        gone += sum(1 for inside in path.rglob("*") if inside.is_file()) if path.is_dir() else 1
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return gone


def _remove(path: Path) -> int:
    path.unlink(missing_ok=True)
    return 1
