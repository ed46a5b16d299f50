"""What all tests share: the option that rewrites the golden files, and an environment without anybody's AWS account."""

import os

import pytest
from hypothesis import settings

# A test that forgets to name its endpoint must fail, and not reach the account of whoever runs it.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "123456789012",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("patient", settings(deadline=None))
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write the expected files of tests/golden anew")


@pytest.fixture(scope="session")
def rewrite_golden(request: pytest.FixtureRequest) -> bool:
    """Whether the golden files are to be written instead of compared (`make golden`)."""
    return bool(request.config.getoption("--rewrite-golden"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What seeded runs came to, for whoever reads the output: a test that passes says nothing by itself."""
    passed = terminalreporter.getreports("passed")
    told = [value for report in passed for name, value in report.user_properties if name == "told"]
    if told:
        terminalreporter.section("seeded runs")
        for line in told:
            terminalreporter.line(str(line))
