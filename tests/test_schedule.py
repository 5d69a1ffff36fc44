"""The way of reading that is chosen: the faster one as measured, and the same memory in both."""

import pytest
import torch
from transformers import GPT2Config

from armt_core import ArmtConfig, ArmtModel, read_diagonal, read_sequential, schedule
from armt_core.errors import ModelError
from armt_core.schedule import Seconds, read_faster, seconds
from tests.fakes import random_ids, tiny_model


@pytest.fixture
def model():
    return tiny_model("llama").eval()


@pytest.mark.parametrize("times", [(1.0, 2.0), (2.0, 1.0)])
def test_the_way_that_took_less_is_the_way_that_reads(model, monkeypatch, times):
    used = []
    for name, way in (("read_sequential", read_sequential), ("read_diagonal", read_diagonal)):

        def read(*arguments, name=name, way=way):
            used.append(name)
            return way(*arguments)

        monkeypatch.setattr(schedule, name, read)

    def timed(calls, runs):
        for call in calls:
            call()
        assert used[-2:] == ["read_sequential", "read_diagonal"]
        return times

    monkeypatch.setattr(schedule, "interleaved", timed)
    ids = random_ids(2, 3, 5)
    with torch.no_grad():
        reading = read_faster(model, ids)
    assert used[-1] == ("read_sequential" if times[0] < times[1] else "read_diagonal")
    expected = read_sequential(model, ids)
    assert torch.allclose(reading.hidden, expected.hidden, atol=1e-4)
    assert torch.allclose(reading.memory.associations, expected.memory.associations, atol=1e-4)


def test_a_shape_is_measured_once_and_another_or_gradients_anew(model, monkeypatch):
    measured = []
    monkeypatch.setattr(
        schedule, "_measure", lambda model, shape: measured.append(shape) or Seconds(1.0, 2.0)
    )
    with torch.no_grad():
        for segments in (3, 3, 4):
            seconds(model, 1, segments, 5)
    seconds(model, 1, 3, 5)
    assert [(shape.segments, shape.with_gradients) for shape in measured] == [
        (3, False), (4, False), (3, True),
    ]  # fmt: skip


def test_of_many_segments_the_line_of_fewer_is_continued(model, monkeypatch):
    layers, read = model.config.num_hidden_layers, []

    def timed(model, shape, segments):
        read.append(segments)
        return 1.0 * segments, 0.5 * (segments + layers - 1)

    monkeypatch.setattr(schedule, "_timed", timed)
    with torch.no_grad():
        found = seconds(model, 1, 1000, 5)
    assert read == [2 * layers, 4 * layers]
    assert found.sequential == pytest.approx(1000)
    assert found.diagonal == pytest.approx(0.5 * (1000 + layers - 1))


def test_a_gain_within_what_times_differ_by_is_none():
    assert Seconds(1.0, 0.9).diagonal_is_faster
    assert not Seconds(1.0, 0.98).diagonal_is_faster


def test_times_are_real_and_leave_neither_gradients_nor_other_random_numbers(model):
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    found = seconds(model, 1, 2, 4)
    assert torch.equal(torch.rand(3), expected)
    assert 0 < found.sequential < 60 and 0 < found.diagonal < 60
    assert all(weight.grad is None for weight in model.parameters())


def test_layers_that_cannot_be_called_as_one_are_read_in_sequence():
    # Each layer of this backbone divides by its own number.
    backbone = GPT2Config(
        vocab_size=97,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        scale_attn_by_inverse_layer_idx=True,
    )
    model = ArmtModel(ArmtConfig(backbone=backbone, num_memory_tokens=2, memory_dim=4)).eval()
    ids = random_ids(1, 2, 5)
    with torch.no_grad():
        with pytest.raises(ModelError, match="Read with read_sequential"):
            read_diagonal(model, ids)
        found = read_faster(model, ids)
        assert torch.equal(found.hidden, read_sequential(model, ids).hidden)
        assert not seconds(model, *ids.shape).diagonal_is_faster
