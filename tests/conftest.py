"""Rules for every test: a skip in CI is a failure, and no test sees the caller's home or time zone by accident.

Not here: fixtures of one tier; builders (`tests/support`).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import warm

SKIPPED: list[str] = []
AUDITED_ONLY = ["privacy/test_weakening_by_hand.py", "privacy/test_weakening_environment.py"]
"""Many minutes of runs in homes of their own: `make audit` runs them."""

collect_ignore = [] if os.environ.get("CONFIDE_AUDIT") else AUDITED_ONLY


settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
"""How long an example takes is the machine's affair: one that is busy with other tests is no failure."""


def pytest_configure(config: pytest.Config) -> None:
    if warm.FOLDER not in os.environ:
        os.environ[warm.FOLDER] = tempfile.mkdtemp(prefix="warm-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(warm.FOLDER)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        SKIPPED.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if SKIPPED and os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _no_home_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [n for n in os.environ if n.startswith(("CONFIDE_", "DAGSTER_"))]:
        if name != "CONFIDE_AUDIT":
            monkeypatch.delenv(name)
    yield
