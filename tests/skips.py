"""Under CI a skipped test is a failure, unless it is named here with the reason why it must be."""

import os

import pytest

EXPECTED: dict[str, str] = {}

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and report.nodeid not in EXPECTED:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped and os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    if _skipped and os.environ.get("CI"):
        terminalreporter.section("skips that CI does not expect")
        for nodeid in _skipped:
            terminalreporter.write_line(f"FAILED {nodeid}: skipped")
