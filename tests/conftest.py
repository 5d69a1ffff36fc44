"""Shared by all tests: the model that ships, opened once; nothing may reach the network."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from armt_core.document_model import DocumentModel
from ingest.settings import open_reader


@pytest.fixture(scope="session")
def reader() -> DocumentModel:
    """The model that ships, in the faster dtype of this machine."""
    return open_reader()


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """A connection to anywhere but this machine fails the test that tries it."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if host is not None and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        real(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", connect)
    yield
    patch.undo()
