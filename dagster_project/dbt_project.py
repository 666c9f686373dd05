"""Where the dbt project lies, and the parsed manifest that Dagster reads its models from.

The manifest is kept in the home and parsed anew when a file of the project changed. Not here: running models
(`assets/warehouse.py`), opening the warehouse (`storage/warehouse.py`).
"""

import hashlib
import os
import subprocess
import sys
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project import __version__
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import replacing
from dagster_project.storage.warehouse import DBT_PROJECT, dbt_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster_dbt import DbtCliResource
    from packaging.version import Version


class DbtProjectError(ConfideError):
    """The dbt project cannot be parsed."""


DBT = [sys.executable, "-P", "-m", "dagster_project.dbt_process"]
"""The dbt of this very environment, whatever PATH says."""


def target(home: Home) -> Path:
    """dbt's target folder in a home: two homes, or a home and the repository, never share one."""
    return Path(dbt_environment(home)["DBT_TARGET_PATH"])


def use_home(home: Home) -> None:
    """Point dbt, run by this process or its children, at a home, and let no other setting of it through.

    The caller's could skip the tests, empty or rebuild tables, write logs elsewhere, or send artefacts away.
    """
    for name in [name for name in os.environ if name.startswith("DBT_")]:
        del os.environ[name]
    os.environ.update(dbt_environment(home))


def project_digest() -> str:
    """Digest of every file that decides the manifest."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(DBT_PROJECT.rglob("*")):
        if path.suffix in {".sql", ".yml", ".yaml", ".csv"} and "target" not in path.parts:
            digest.update(str(path.relative_to(DBT_PROJECT)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def manifest_path(home: Home) -> Path:
    """The manifest of this code, parsed first when need be. Raises DbtProjectError when dbt refuses."""
    manifest, mark = target(home) / "manifest.json", target(home) / "project.sha256"
    digest = project_digest()
    if manifest.exists() and mark.exists() and mark.read_text() == digest:
        return manifest
    done = subprocess.run(
        [*DBT, "--quiet", "parse"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **dbt_environment(home)},
        cwd=DBT_PROJECT,
    )
    if done.returncode != 0 or not manifest.exists():
        raise DbtProjectError("the dbt project cannot be parsed: run `dbt parse` in dbt/ to see why")
    with replacing(mark) as temporary:
        temporary.write_text(digest)
    return manifest


def dbt_resource() -> "DbtCliResource":
    """The dbt that assets run, started no slower than need be.

    Its version is read from what is installed: `dbt --version` asks the network. And Dagster gets no adapter of its own
    to the warehouse: it would count rows with it, which we do not ask for, and loading it costs a second a step.
    """
    from dagster_dbt import DbtCliResource
    from packaging.version import Version

    class InstalledDbt(DbtCliResource):
        @cached_property
        def _cli_version(self) -> "Version":
            return Version(version("dbt-core"))

        def _initialize_dbt_core_adapter(self, args: "Sequence[str]") -> None:  # type: ignore[override]
            return None

    return InstalledDbt(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=DBT[0],
        global_config_flags=DBT[1:],
    )
