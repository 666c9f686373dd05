"""An import that reads a file, the environment or the network makes the UI slow and the tests lie."""

import subprocess
import sys

PROBE = """
import os, sys, pkgutil, importlib
import dagster, polars, numpy, pyarrow.parquet, pydantic_settings, typer, rich.progress, rich.table, yaml, zstandard, sqlite3
import duckdb, jinja2
from dbt.adapters.duckdb.plugins import BasePlugin
import dagster_project, expectations, training

seen = []
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        path = args[0]
        if not path.endswith((".py", ".pyc", ".so")) and "site-packages" not in path and "/lib/python" not in path and "zoneinfo" not in path and not path.endswith("__path_hook__"):
            seen.append("file " + path)
    elif event in ("socket.connect", "subprocess.Popen", "sqlite3.connect"):
        seen.append(event)

class Watched(type(os.environ)):
    def __getitem__(self, key):
        caller = sys._getframe(1)
        while caller and "/os.py" in caller.f_code.co_filename or caller.f_code.co_name == "get":
            caller = caller.f_back
        if "/dagster_project/" in caller.f_code.co_filename:
            seen.append(f"environment {key}")
        return super().__getitem__(key)
os.environ.__class__ = Watched

names = [m.name for p in (dagster_project, expectations, training) for m in pkgutil.walk_packages(p.__path__, p.__name__ + ".")]
names.remove("expectations.own_expectations")  # classes of Great Expectations: imported by the runner when a suite runs
sys.addaudithook(hook)
for name in names:
    importlib.import_module(name)
heavy = [m for m in ("great_expectations", "onnxruntime", "faiss", "sklearn", "anthropic", "altair", "vl_convert", "dagster_dbt") if m in sys.modules]
print(len(names), seen, heavy)
assert len(names) > 60 and not seen and not heavy, (seen, heavy)
"""


def test_importing_any_module_reads_nothing_and_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-1500:]
