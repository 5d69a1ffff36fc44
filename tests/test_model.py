"""The ARMT over every family of backbones."""

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from armt_core import ArmtConfig, ArmtModel, MemoryState, read_sequential
from armt_core.errors import MemoryMismatch, ModelError
from armt_core.generation import say_after_prefix
from armt_core.padding import pad_segments
from armt_core.snapshot import load_snapshot, snapshot_bytes
from tests.fakes import FAMILIES, backbone_config, random_ids, tiny_model

CAUSAL = [family for family in FAMILIES if family != "bert"]


def assert_same_memory(one: MemoryState, other: MemoryState, tolerance: float = 0.0) -> None:
    assert torch.equal(one.segments_read, other.segments_read)
    for a, b in ((one.associations, other.associations), (one.normalizer, other.normalizer)):
        if tolerance == 0:
            assert torch.equal(a, b)
        else:
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_an_empty_memory_the_model_is_the_backbone(family: str):
    model, ids = tiny_model(family), random_ids(2, 12)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    ours = model(ids, attention_mask=mask).logits
    theirs = model.backbone(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[1, :8], theirs[1, :8], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama"])
def test_writing_does_not_change_what_the_text_says(family: str):
    """Text never attends to memory tokens, so an appended memory token changes no text."""
    model, ids = tiny_model(family), random_ids(1, 9)
    torch.testing.assert_close(model.run(ids, write=True)[0], model.run(ids)[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_memory_changes_the_reading_of_the_next_segment(family: str):
    model, ids = tiny_model(family), random_ids(1, 2, 9)
    memory = read_sequential(model, ids[:, :1]).memory
    with_memory, without = model(ids[:, 1], memory=memory).logits, model(ids[:, 1]).logits
    assert float((with_memory - without).abs().max()) > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_documents_of_unequal_length_in_a_batch_equal_each_alone(family: str):
    model = tiny_model(family, dtype=torch.float64)
    documents = [
        [random_ids(n, seed=10 * d + s).tolist() for s, n in enumerate(lengths)]
        for d, lengths in enumerate([[9, 4, 7], [5], [6, 9]])
    ]
    ids, mask = pad_segments(documents)
    together = read_sequential(model, ids, mask)
    assert together.memory.segments_read.tolist() == [3, 1, 2]
    for index, document in enumerate(documents):
        memory: MemoryState | None = None
        for segment, tokens in enumerate(document):
            alone = read_sequential(model, torch.tensor(tokens)[None, None], memory=memory)
            memory = alone.memory
            torch.testing.assert_close(
                together.hidden[index, segment, : len(tokens)],
                alone.hidden[0, 0],
                rtol=1e-10,
                atol=1e-10,
            )
        assert memory is not None
        assert_same_memory(together.memory.select(index), memory, 1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_whole_equals_pieces_equals_through_disk_bit_for_bit(family: str, tmp_path):
    model, ids = tiny_model(family), random_ids(1, 6, 9)
    whole = read_sequential(model, ids).memory
    memory: MemoryState | None = None
    for piece in (ids[:, :1], ids[:, 1:4], ids[:, 4:]):
        memory = read_sequential(model, piece, memory=memory).memory
        (tmp_path / "memory").write_bytes(snapshot_bytes(memory, "f"))
        memory = load_snapshot((tmp_path / "memory").read_bytes(), model.config, "f")
    assert memory is not None
    assert_same_memory(whole, memory)


def test_a_finished_document_keeps_its_memory_while_others_are_read():
    model = tiny_model()
    ids, mask = pad_segments([[[5, 6, 7]], [[8, 9], [10, 11, 12]]])
    one = read_sequential(model, ids[:, :1], mask[:, :1]).memory
    both = read_sequential(model, ids, mask).memory
    assert_same_memory(one.select(0), both.select(0))
    assert not torch.equal(one.select(1).associations, both.select(1).associations)


def test_reading_without_writing_leaves_memory_as_it_was():
    model = tiny_model()
    memory = read_sequential(model, random_ids(1, 1, 9)).memory
    assert model(random_ids(1, 5), memory=memory).memory is memory


def test_gradients_flow_through_memory_from_a_later_segment_to_an_earlier():
    model, ids = tiny_model(), random_ids(1, 3, 8)
    read_sequential(model, ids).hidden[:, -1].sum().backward()
    for name, parameter in model.associative.named_parameters():
        grad = parameter.grad
        assert grad is not None, name
        for layer in range(2):
            assert float(grad[layer].abs().max()) > 0, f"{name} of layer {layer}"
    assert model.memory_tokens.grad is not None


def test_detach_cuts_the_graph_between_segments():
    model, ids = tiny_model(), random_ids(1, 2, 8)
    memory = read_sequential(model, ids[:, :1]).memory
    assert memory.associations.requires_grad
    assert not memory.detach().associations.requires_grad


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("auto", ["AutoModel", "own"])
def test_save_and_load_give_the_same_model(family: str, auto: str, tmp_path):
    model, ids = tiny_model(family), random_ids(1, 3, 8)
    model.save_pretrained(tmp_path)
    kind = {"AutoModel": AutoModel, "own": ArmtModel}[auto]
    again = kind.from_pretrained(tmp_path)
    assert isinstance(again, ArmtModel) and isinstance(
        AutoConfig.from_pretrained(tmp_path), ArmtConfig
    )
    loaded = again.state_dict()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, loaded[name]), name
    # Products may differ in the last bit: weights read from a file lie otherwise in memory.
    assert_same_memory(read_sequential(model, ids).memory, read_sequential(again, ids).memory, 1e-4)


def test_the_auto_class_for_language_models_knows_the_model(tmp_path):
    tiny_model("gpt2").save_pretrained(tmp_path)
    assert isinstance(AutoModelForCausalLM.from_pretrained(tmp_path), ArmtModel)


def test_a_16_bit_model_keeps_its_memory_in_float32(tmp_path):
    model, ids = tiny_model(), random_ids(1, 3, 8)
    model.save_pretrained(tmp_path)
    half = ArmtModel.from_pretrained(tmp_path, dtype=torch.bfloat16)
    memory = read_sequential(half, ids).memory
    assert half.backbone.dtype == torch.bfloat16 and memory.associations.dtype == torch.float32
    exact = read_sequential(model, ids).memory
    assert float((memory.normalizer - exact.normalizer).norm() / exact.normalizer.norm()) < 0.05


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("beams", [1, 3])
def test_generation_reads_memory_and_caches_without_changing_the_text(family: str, beams: int):
    model, prompt = tiny_model(family), random_ids(2, 6)
    memory = read_sequential(model, random_ids(2, 3, 9, seed=5)).memory
    settings = {
        "attention_mask": torch.ones_like(prompt),
        "memory": memory,
        "max_new_tokens": 6,
        "num_beams": beams,
        "do_sample": False,
    }
    cached = model.generate(prompt, **settings)
    assert torch.equal(cached, model.generate(prompt, use_cache=False, **settings))
    plain = model.generate(prompt, **{**settings, "memory": None})
    assert not torch.equal(cached[:, :12], plain[:, :12])
    for index in range(2):  # each document answers from its own memory
        alone = model.generate(
            prompt[index : index + 1],
            **{**settings, "memory": memory.select(index), "attention_mask": None},
        )
        n = min(alone.shape[1], cached.shape[1])
        assert torch.equal(alone[0, :n], cached[index, :n])


@pytest.mark.parametrize("family", CAUSAL)
def test_padding_on_the_left_does_not_change_what_is_generated(family: str):
    model, prompt = tiny_model(family), random_ids(1, 6)
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.int64), prompt], dim=1)
    mask = torch.tensor([[0] * 3 + [1] * 6])
    a = model.generate(prompt, max_new_tokens=5, do_sample=False)[:, 6:]
    b = model.generate(padded, attention_mask=mask, max_new_tokens=5, do_sample=False)[:, 9:]
    assert torch.equal(a, b)


def test_a_bert_generates_greedily_from_the_prefix_and_stops():
    model, question = tiny_model("bert", seed=3), random_ids(1, 6)
    memory = read_sequential(model, random_ids(1, 2, 9, seed=5)).memory
    answer = model.generate(question, memory=memory, max_new_tokens=7)
    assert 1 <= answer.shape[1] <= 7
    tokens = torch.cat([question, torch.tensor([[1]])], dim=1)  # by hand: [CLS] is 1
    for expected in answer[0]:
        hidden, _ = model.run(tokens, memory=memory, prefix=torch.tensor([6]))
        assert int(model.adapter.logits(hidden)[0, -1].argmax()) == int(expected)
        tokens = torch.cat([tokens, expected[None, None]], dim=1)
    stop = int(answer[0, -1])
    assert model.generate(question, memory=memory, eos_token_id=stop).shape[1] <= 7


def test_the_chances_of_generated_tokens_are_those_of_one_run_over_question_and_answer():
    model, question = tiny_model("bert", seed=3), random_ids(2, 6)
    memory = read_sequential(model, random_ids(2, 2, 9, seed=5)).memory
    new, chances = say_after_prefix(model, question, memory=memory, max_new_tokens=5)
    assert chances.shape == new.shape and new.shape[1] == 5
    tokens = torch.cat([question, torch.full((2, 1), 1), new], dim=1)
    hidden, _ = model.run(tokens, memory=memory, prefix=torch.tensor([6]), role="answer")
    expected = model.adapter.logits(hidden)[:, 6:-1].log_softmax(-1).gather(-1, new[..., None])
    torch.testing.assert_close(chances, expected[..., 0], rtol=1e-4, atol=1e-5)


def test_the_question_does_not_see_the_answer_and_the_answer_not_its_future():
    model, ids = tiny_model("bert"), random_ids(1, 9)
    prefix, changed = torch.tensor([5]), ids.clone()
    changed[0, 7] = 60
    a, b = model.run(ids, prefix=prefix)[0], model.run(changed, prefix=prefix)[0]
    assert torch.equal(a[:, :7], b[:, :7]) and not torch.equal(a[:, 7:], b[:, 7:])


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_inline_memory_tokens_are_input_embeddings_at_the_next_positions(family: str):
    model = tiny_model(family, memory_tokens="inline")
    ids = random_ids(1, 7)
    written: list[Tensor] = []
    last = model.adapter.layers[-1]
    handle = last.register_forward_hook(lambda m, i, out: written.append(out[:, 7:]))
    model.run(ids, write=True)
    handle.remove()
    expected: list[Tensor] = []
    handle = last.register_forward_hook(lambda m, i, out: expected.append(out[:, 7:]))
    embeddings = torch.cat([model.get_input_embeddings()(ids), model.memory_tokens[None]], dim=1)
    model.backbone(inputs_embeds=embeddings)
    handle.remove()
    torch.testing.assert_close(written[0], expected[0])


def test_wrong_memories_are_refused_by_name():
    model = tiny_model()
    with pytest.raises(MemoryMismatch, match="holds 2 documents, the tokens are of 1"):
        model.run(random_ids(1, 4), memory=model.empty_memory(2))
    other = tiny_model(memory_dim=5)
    with pytest.raises(MemoryMismatch, match=r"\(2, 30, 32\), the model has \(2, 24, 32\)"):
        model.run(random_ids(1, 4), memory=other.empty_memory())
    with pytest.raises(MemoryMismatch, match="segments_read must be"):
        MemoryState(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3), torch.zeros(1).long())


def test_segments_longer_than_the_backbone_are_refused():
    model = tiny_model()
    with pytest.raises(ModelError, match="longer than the 64 positions"):
        model.run(random_ids(1, 65))
    with pytest.raises(ModelError, match="at most 61"):
        tiny_model("gpt2", memory_tokens="inline", segment_tokens=63)


def test_nonsense_configurations_are_refused():
    with pytest.raises(ValueError, match="num_memory_tokens must be a whole number"):
        ArmtConfig(backbone=backbone_config("bert"), num_memory_tokens=0)
    with pytest.raises(ModelError, match="no adapter for backbones of type 't5'"):
        ArmtModel(ArmtConfig(backbone={"model_type": "t5"}))
    with pytest.raises(ModelError, match="at least one segment"):
        read_sequential(tiny_model(), random_ids(2, 4))
    with pytest.raises(ModelError, match="nothing to read"):
        pad_segments([[]])


def test_rows_of_one_document_share_its_memory_without_a_copy_of_it():
    model = tiny_model()
    ids = random_ids(2, 3, 8)
    memory = read_sequential(model, ids).memory
    rows = random_ids(6, 5, seed=4)
    shared, after = model.run(rows, memory=memory)
    copied, _ = model.run(rows, memory=memory.take([0, 0, 0, 1, 1, 1]))
    assert torch.allclose(shared, copied, atol=1e-6)
    assert after is memory
    with pytest.raises(MemoryMismatch, match="rows"):
        model.run(random_ids(5, 5), memory=memory)
    with pytest.raises(MemoryMismatch, match="rows"):
        model.run(rows, memory=memory, write=True)
