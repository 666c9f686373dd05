"""What `pip install` gives is the whole program. Harm prevented: an installed package that misses the models it runs."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_wheel_holds_every_file_that_the_program_reads(tmp_path: Path) -> None:
    """Prevents an installed `confide` from failing at its first build for want of a model, suite, word list or style."""
    tree = tmp_path / "tree"  # a copy: what an earlier build left would be packed too
    for name in ("dagster_project", "expectations", "dbt"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "target"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(tree)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(place / path.relative_to(ROOT / folder))
        for folder, place in {
            "dagster_project": Path("dagster_project"),
            "expectations": Path("expectations"),
            "dbt": Path("dagster_project/dbt"),
        }.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "target" not in path.parts
    }
    assert len(wanted) > 300
    assert wanted - packed == set()
