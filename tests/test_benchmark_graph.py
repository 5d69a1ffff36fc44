"""A segment that reads through the same tensors each time, so that a CUDA graph can hold it."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from armt_core import read_diagonal, read_sequential
from benchmarks import graph
from tests.fakes import FAMILIES, random_ids, tiny_model


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_read_in_place_is_what_is_read_in_sequence_again_and_again(family):
    model = tiny_model(family).double()
    with torch.no_grad():
        model.associative.value.normal_(std=0.3)
    step = graph.SegmentInPlace(model, 2, 6)
    before = step.read(random_ids(2, 3, 6, seed=1))
    kept = before.memory.associations.clone()
    for segments in (4, 1):
        ids = random_ids(2, segments, 6, seed=segments)
        found = step.read(ids)
        with torch.no_grad():
            right = read_sequential(model, ids)
        torch.testing.assert_close(found.hidden, right.hidden, rtol=0, atol=1e-10)
        for mine, theirs in zip(
            vars(found.memory).values(), vars(right.memory).values(), strict=True
        ):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)
    assert torch.equal(before.memory.associations, kept)  # no view of what is read through


def test_what_is_read_in_place_is_of_the_type_of_the_backbone():
    model = tiny_model("llama")
    model.backbone.bfloat16()
    ids = random_ids(1, 3, 6)
    with torch.no_grad():
        right = read_sequential(model, ids).hidden
    found = graph.SegmentInPlace(model, 1, 6).read(ids).hidden
    assert found.dtype == torch.bfloat16 and torch.equal(found, right)


class NoNumbers(TorchDispatchMode):
    """Nothing may ask a tensor for its number, or for how many of its own there are."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in (
            torch.ops.aten._local_scalar_dense.default,
            torch.ops.aten.nonzero.default,
        ), "a graph cannot hold a question to the device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("read", [read_sequential, read_diagonal])
def test_a_reading_asks_the_device_for_no_number(family, read):
    model = tiny_model(family)
    with torch.no_grad(), NoNumbers():
        found = read(model, random_ids(2, 5, 6), memory=model.empty_memory(2))
        with pytest.raises(AssertionError, match="question"):
            bool((found.memory.segments_read == 5).all())
    assert found.memory.segments_read.tolist() == [5, 5]
