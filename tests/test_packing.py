"""Linear layers packed for inference, and segments padded to whole tiles."""

import numpy as np
import pytest
import torch
from torch import nn

from armt_core.document_model import TILE, Segment
from armt_core.model import ArmtModel
from armt_core.opening import faster_dtype, open_model
from armt_core.packing import PackedLinear, can_pack, pack_linears
from armt_core.pooling import mean_pool
from armt_core.reading import read_sequential
from ingest.settings import DEFAULT_MODEL
from tests.fakes import write_all

needs_kernels = pytest.mark.skipif(
    not can_pack(), reason="oneDNN makes no bfloat16 products on this processor"
)


@needs_kernels
@pytest.mark.parametrize("rows", [1, 16, 77, 300])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_gives_the_same_bits(rows, bias):
    torch.manual_seed(rows)
    linear = nn.Linear(48, 96, bias=bias).bfloat16()
    x = torch.randn(2, rows, 48).bfloat16()
    with torch.inference_mode():
        assert torch.equal(PackedLinear(linear)(x), linear(x))


def test_only_16_bit_linear_layers_on_a_cpu_with_the_kernels_are_packed(monkeypatch):
    def module() -> nn.Sequential:
        inner = nn.Sequential(nn.Linear(8, 8).bfloat16())
        return nn.Sequential(nn.Linear(8, 8), inner, nn.ReLU())

    packed = module()
    assert pack_linears(packed) == int(can_pack())
    assert type(packed[0]) is nn.Linear
    assert type(packed[1][0]) is (PackedLinear if can_pack() else nn.Linear)
    monkeypatch.setattr("armt_core.packing.can_pack", lambda: False)
    plain = module()
    assert pack_linears(plain) == 0 and type(plain[1][0]) is nn.Linear


def test_a_packed_model_reads_the_same_memory_and_vectors():
    torch.manual_seed(0)
    plain = ArmtModel.from_pretrained(DEFAULT_MODEL, dtype=torch.bfloat16).eval()
    opened = open_model(DEFAULT_MODEL, dtype=torch.bfloat16)
    with torch.no_grad():  # a memory that matters
        plain.associative.value.normal_(std=0.05)
        opened.model.associative.value.copy_(plain.associative.value)
    ids = torch.randint(1000, 20000, (1, 3, 64))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two threads share out a packed product in another way
    try:
        with torch.inference_mode():
            one, other = read_sequential(plain, ids), read_sequential(opened.model, ids)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one.hidden, other.hidden)
    assert torch.equal(one.memory.associations, other.memory.associations)


def test_padding_to_whole_tiles_changes_neither_vector_nor_memory():
    torch.manual_seed(0)
    reader = open_model(DEFAULT_MODEL, dtype=torch.float32)
    with torch.no_grad():
        reader.model.associative.value.normal_(std=0.05)
    write_all(reader.model)
    memory = padded = reader.model.empty_memory()
    for length in (3, 16, 37, 250):
        ids = torch.randint(1000, 20000, (1, length))
        with torch.inference_mode():
            reading = read_sequential(reader.model, ids[:, None], memory=memory)
            memory, plain = reading.memory, mean_pool(reading.hidden[:, 0])
        whole = Segment(ids, torch.ones_like(ids).bool())
        (noted,), padded = reader.read_segments([whole], padded)
        assert np.allclose(noted.vectors, plain, atol=1e-5)
    assert torch.allclose(padded.associations, memory.associations, atol=1e-4, rtol=1e-4)
    assert memory.associations.abs().max() > 0.1


def test_parts_of_a_segment_have_the_means_of_their_own_tokens(reader):
    text = "Boats left. Nobody knew why.  "
    parts = [(0, 11), (12, 28), (28, 30)]
    vectors = reader.read(text, reader.model.empty_memory(), parts)[0].vectors
    with torch.no_grad():
        hidden, _ = reader.model.run(reader.token_ids(text))
    tokens = reader.tokenizer.convert_ids_to_tokens(reader.token_ids(text)[0])
    stop = tokens.index(".") + 1
    assert tokens[0] == "[CLS]" and tokens[-1] == "[SEP]"
    for row, part in ((0, hidden), (1, hidden[:, 1:stop]), (2, hidden[:, stop:-1])):
        assert np.allclose(vectors[row], mean_pool(part)[0].float().cpu(), atol=0.02)
        assert np.linalg.norm(vectors[row]) == pytest.approx(1.0, abs=1e-5)
    assert not vectors[3].any()  # blanks are no tokens
    assert float(vectors[1] @ vectors[2]) < 0.99


@pytest.mark.parametrize("length", [1, 16, 17, 255, 256])
def test_a_tile_is_filled_up_with_masked_tokens_only(reader, length):
    ids = torch.full((1, length), 7)
    padded, mask = reader.whole_tiles([ids])
    assert padded.shape == mask.shape == (1, -(-length // TILE) * TILE)
    assert int(mask.sum()) == length and bool((padded[mask.bool()] == 7).all())


@pytest.mark.parametrize(("amx", "avx512", "expected"), [
    (True, False, torch.bfloat16), (False, True, torch.bfloat16), (False, False, torch.float32),
])  # fmt: skip
def test_bfloat16_is_chosen_by_what_the_processor_can_and_never_by_the_clock(
    monkeypatch, amx, avx512, expected
):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    assert faster_dtype(torch.device("cpu")) == expected
