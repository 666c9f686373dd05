"""Making a home ready: folders, key, commented settings, Dagster's own settings. Safe to do twice.

Not here: where things lie (`home.py`), what the settings mean (`settings.py`).
"""

from dagster_project.home import Home
from dagster_project.settings import TEMPLATE
from dagster_project.storage.files import replacing

DAGSTER_YAML = """\
# Written by `confide init`. Telemetry is off; what steps print is not kept (it could hold text).
telemetry:
  enabled: false
nux:
  enabled: false
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
python_logs:
  managed_python_loggers: [dagster_project]
  python_log_level: INFO
concurrency:
  pools:
    default_limit: 1
    granularity: run
  runs:
    max_concurrent_runs: 4
"""


def create_home(home: Home, settings: str = TEMPLATE) -> None:
    """Make what is missing; settings and key that exist are kept."""
    home.create()
    for file, text in ((home.settings_file, settings), (home.dagster / "dagster.yaml", DAGSTER_YAML)):
        if not file.exists():
            with replacing(file) as temporary:
                temporary.write_text(text)
