"""Lint the SQL of the dbt project with sqlfluff's dbt templater, against an empty home of its own.

The templater compiles every model, so it needs a warehouse and the lake's empty files to point at.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dagster_project.home import Home
from dagster_project.setting_up import create_home
from dagster_project.storage.warehouse import DBT_PROJECT, dbt_environment, prepare_warehouse


def main() -> int:
    """Exit code of sqlfluff."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        create_home(home)
        prepare_warehouse(home)
        sqlfluff = str(Path(sys.executable).parent / "sqlfluff")
        command = [sqlfluff, "lint", "--disable-progress-bar", "dbt/models", "dbt/tests", "dbt/macros"]
        environment = {**os.environ, **dbt_environment(home)}
        return subprocess.run(command, cwd=DBT_PROJECT.parent, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
