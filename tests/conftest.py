"""Shared by all tests: the model that ships, opened once; nothing may reach the network."""

import shutil
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from armt_core import ArmtModel
from armt_core.document_model import DocumentModel
from armt_core.spans import SpanHead
from ingest.settings import DEFAULT_MODEL, open_reader
from tests.fakes import write_all


@pytest.fixture(scope="session")
def reader() -> DocumentModel:
    """The model that ships, in the faster dtype of this machine."""
    return open_reader()


@pytest.fixture(scope="session")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> DocumentModel:
    """The model that ships with a memory that changes what is read (W_v random)."""
    folder = tmp_path_factory.mktemp("model")
    model = ArmtModel.from_pretrained(DEFAULT_MODEL, dtype=torch.float32, local_files_only=True)
    torch.manual_seed(7)
    with torch.no_grad():
        model.associative.value.normal_(std=0.05)
        # What ships says nothing where it knows nothing; this one always says something.
        model.backbone.cls.predictions.bias[model.config.eos_token_id] = -100.0
    write_all(model)
    model.config.answers_from_memory, model.config.memory_tokens = True, "own"
    model.config.sentence_ends, model.config.reads_in_order = [], False
    if model.span is None:
        model.config.reads_spans, model.span = True, SpanHead(model.config.hidden_size)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "answering.json"):
        shutil.copy(DEFAULT_MODEL / name, folder)
    return open_reader(folder)


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
