"""What all tests share: where things lie, and no network."""

import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("COMPENDIUM_SHARED", ROOT.parent / "shared"))

# tests run side by side, as chapters do: two that each take every core wait for each other
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real exports beside the project; a test that needs them is skipped where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the real exports are not beside this checkout")
    return SHARED


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch):
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        loopback = isinstance(address, str | bytes) or str(address[0]).startswith("127.")
        if not loopback and address[0] not in ("localhost", "::1"):
            raise OSError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / "_build" / "hypothesis"))
