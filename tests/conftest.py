"""Rules for every test: a skip in CI is a failure, what was measured is printed, and no test sees the caller's home or
time zone by accident.

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
AUDIT = bool(os.environ.get("CONFIDE_AUDIT"))

settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
"""How long an example takes is the machine's affair: one that is busy with other tests is no failure."""


class Measured:
    """Prints the lines that tests recorded under the property `measured`, as they come, from xdist's workers too."""

    def __init__(self, config: pytest.Config) -> None:
        self._plugins = config.pluginmanager

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._plugins.get_plugin("terminalreporter")
        if terminal and report.when == "call":
            for name, line in report.user_properties:
                if name == "measured":
                    terminal.ensure_newline()
                    terminal.write_line(str(line))


def pytest_configure(config: pytest.Config) -> None:
    if warm.FOLDER not in os.environ:
        os.environ[warm.FOLDER] = tempfile.mkdtemp(prefix="warm-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(warm.FOLDER)))
    config.pluginmanager.register(Measured(config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `audit` takes minutes: `make audit` runs it, every other run leaves it out.

    A file's tests run on one core, as they share homes, unless they name groups of their own that need not (xdist's
    `--dist loadgroup`).
    """
    later = [] if AUDIT else [item for item in items if item.get_closest_marker("audit")]
    config.hook.pytest_deselected(items=later)
    items[:] = [item for item in items if item not in set(later)]
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


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
