"""Where the dbt project lies, and the parsed manifest that Dagster reads its models from.

The manifest is kept in the home and parsed anew when a file of the project changed. Not here: running models
(`assets/warehouse.py`), opening the warehouse (`storage/warehouse.py`).
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from dagster_project import __version__
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import replacing

PROJECT = Path(__file__).parent.parent / "dbt"


class DbtProjectError(ConfideError):
    """The dbt project cannot be parsed."""


def dbt_executable() -> str:
    """The dbt of this very environment, whatever PATH says."""
    return str(Path(sys.executable).parent / "dbt")


def target(home: Home) -> Path:
    """dbt's target folder in a home: two homes, or a home and the repository, never share one."""
    return home.dagster / "dbt"


def use_home(home: Home) -> None:
    """Point dbt, run by this process or its children, at a home."""
    os.environ["CONFIDE_HOME"] = str(home.root)
    os.environ["DBT_TARGET_PATH"] = str(target(home))
    os.environ["DBT_LOG_PATH"] = str(target(home) / "logs")
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"


def project_digest() -> str:
    """Digest of every file that decides the manifest."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(PROJECT.rglob("*")):
        if path.suffix in {".sql", ".yml", ".yaml", ".csv"} and "target" not in path.parts:
            digest.update(str(path.relative_to(PROJECT)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def manifest_path(home: Home) -> Path:
    """The manifest of this code, parsed first when need be. Raises DbtProjectError when dbt refuses."""
    manifest, mark = target(home) / "manifest.json", target(home) / "project.sha256"
    digest = project_digest()
    if manifest.exists() and mark.exists() and mark.read_text() == digest:
        return manifest
    use_home(home)
    done = subprocess.run(
        [dbt_executable(), "--quiet", "parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not manifest.exists():
        raise DbtProjectError("the dbt project cannot be parsed: run `dbt parse` in dbt/ to see why")
    with replacing(mark) as temporary:
        temporary.write_text(digest)
    return manifest
