"""Making a home ready: folders, key, commented settings with what was chosen, Dagster's own. Safe to do twice.

Not here: where things lie (`home.py`), what the settings mean (`settings.py`).
"""

import re
from collections.abc import Mapping

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


def chosen_settings(choices: Mapping[str, str]) -> str:
    """The commented settings with some values replaced: `section.key`, one of the template's, -> the value as TOML."""
    text = TEMPLATE
    for name, value in choices.items():
        section, key = name.split(".")
        found = re.search(rf"(?ms)^\[{section}\].*?^{key} = (\S+)", text)
        assert found is not None, name
        text = text[: found.start(1)] + value + text[found.end(1) :]
    return text


def create_home(home: Home, settings: str = TEMPLATE) -> None:
    """Make what is missing; settings and key that exist are kept."""
    home.create()
    for file, text in ((home.settings_file, settings), (home.dagster / "dagster.yaml", DAGSTER_YAML)):
        if not file.exists():
            with replacing(file) as temporary:
                temporary.write_text(text)
