"""A memory as bytes: the same bytes for the same memory, and no other memory taken for it."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from armt_core import MemoryState, read_sequential
from armt_core.errors import DamagedSnapshot, MemoryMismatch, OtherModel
from armt_core.snapshot import load_snapshot, read_manifest, snapshot_bytes
from tests.fakes import random_ids, tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def data(model) -> bytes:
    return snapshot_bytes(read_sequential(model, random_ids(1, 2, 8)).memory, "abc")


def test_the_same_memory_gives_the_same_bytes(model, data: bytes):
    again = snapshot_bytes(read_sequential(model, random_ids(1, 2, 8)).memory, "abc")
    assert again == data


def test_the_manifest_is_sorted_json_without_times_or_paths(data: bytes, tmp_path):
    (tmp_path / "s.safetensors").write_bytes(data)
    with safe_open(tmp_path / "s.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata == {"manifest": '{"fingerprint": "abc", "format": 1, "segments_read": 2}'}
    assert read_manifest(data).segments_read == 2


def test_the_size_depends_on_the_model_alone(model, data: bytes):
    longer = read_sequential(model, random_ids(1, 9, 8)).memory
    assert len(snapshot_bytes(longer, "abc")) == len(data)


def test_another_models_memory_is_refused(model, data: bytes):
    with pytest.raises(OtherModel, match="made by model abc, the loaded model is xyz"):
        load_snapshot(data, model.config, "xyz")


def test_a_memory_of_another_shape_or_type_is_refused(model, data: bytes):
    with pytest.raises(MemoryMismatch, match="associations must be float32"):
        load_snapshot(data, tiny_model(memory_dim=5).config, "abc")
    halved = _with(data, associations=lambda t: t.half())
    with pytest.raises(MemoryMismatch, match="float16"):
        load_snapshot(halved, model.config, "abc")


def test_impossible_numbers_are_refused(model, data: bytes):
    with pytest.raises(DamagedSnapshot, match="not finite"):
        load_snapshot(_with(data, associations=lambda t: t * torch.nan), model.config, "abc")
    with pytest.raises(DamagedSnapshot, match="negative"):
        load_snapshot(_with(data, normalizer=lambda t: t - 1e6), model.config, "abc")


@pytest.mark.parametrize("cut", [0, 5, 60, -10])
def test_cut_bytes_are_refused(model, data: bytes, cut: int):
    with pytest.raises(DamagedSnapshot):
        load_snapshot(data[:cut], model.config, "abc")


def test_a_batch_is_no_snapshot(model):
    with pytest.raises(MemoryMismatch, match="holds one document, this memory holds 2"):
        snapshot_bytes(MemoryState.empty(model.config, batch=2), "abc")


def _with(data: bytes, **changes) -> bytes:
    tensors = load(data)
    for name, change in changes.items():
        tensors[name] = change(tensors[name])
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return save(tensors, header["__metadata__"])
