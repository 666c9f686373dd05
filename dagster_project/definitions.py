"""The code location of `workspace.yaml`: lazy, so that importing it reads nothing. The home is `CONFIDE_HOME`."""

import os
from pathlib import Path

import dagster as dg


@dg.definitions
def confide() -> dg.Definitions:
    """Assets, jobs, schedules and sensors of the home."""
    from dagster_project.build import build_definitions

    return build_definitions(Path(os.environ.get("CONFIDE_HOME", "confide-home")))
