"""What the service's tests share: a stand-in for systemd's socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from service_manager import Manager


@pytest.fixture(autouse=True)
def no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service manager of the tests themselves out of them."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "STATE_DIRECTORY",
                 "RUNTIME_DIRECTORY", "JOURNAL_STREAM"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def manager(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    path = tmp_path_factory.mktemp("n") / "notify"
    manager = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    yield manager
    manager.close()
