"""What dbt-duckdb loads (see `dbt/profiles.yml`): the home's warehouse, our SQL functions and private settings.

Not here: what they are (`warehouse.py`, `warehouse_functions.py`). Only dbt imports this module.
"""

import os
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from dagster_project.home import Home
from dagster_project.storage.warehouse import configure_connection


class Plugin(BasePlugin):
    """The plugin; dbt-duckdb finds it by this name."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self._home = Home(Path(os.environ["CONFIDE_HOME"]))
        # DuckDB makes its files 0644; this process makes nothing that others may read.
        os.umask(0o077)

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        creds.path = str(self._home.warehouse)

    def configure_connection(self, conn: Any) -> None:
        configure_connection(conn, self._home)
