"""Memory tokens apart from the text, and what roles change of a shared backbone."""

import copy

import pytest
import torch
from torch import nn

from armt_core import ArmtConfig, ArmtModel
from armt_core.adapters import Context
from armt_core.apart import sentences, stretches, through
from armt_core.associative import read as plain_read
from armt_core.errors import ModelError
from armt_core.lowrank import LowRank
from armt_core.masks import attention_bias
from tests.fakes import backbone_config, random_ids, tiny_model

ROLES = {"memory": 2, "answer": 3, "reader": 4}


def a_model(**settings) -> ArmtModel:
    """Apart, with deltas of every role that are not zero."""
    model = tiny_model(memory_tokens="apart", deltas=ROLES, **settings)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, LowRank):
                module.outward.normal_(std=0.3)
    return model


def read(model: ArmtModel, segments: int, seed: int = 5):
    memory = model.empty_memory(2)
    for s in range(segments):
        _, memory = model.run(random_ids(2, 9, seed=seed + s), memory=memory, write=True)
    return memory


def test_text_is_read_as_the_backbone_reads_it_whatever_was_read_before():
    model, ids = a_model(), random_ids(2, 7)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    plain = model.backbone.bert(ids, mask).last_hidden_state
    for memory in (None, read(model, 3)):
        for write in (False, True):
            hidden, _ = model.run(ids, mask, memory, write=write)
            torch.testing.assert_close(hidden[mask.bool()], plain[mask.bool()])


def test_a_memory_token_sees_its_stretch_half_of_each_neighbour_and_the_first_token():
    mask = torch.tensor([[True] * 40, [True] * 4 + [False] * 36])
    seen = stretches(mask, 4)
    numbers = [row.nonzero()[:, 0].tolist() for row in seen[0]]
    assert numbers == [
        list(range(16)),  # around 5, 10 to either side
        [0, *range(5, 26)],
        [0, *range(15, 36)],
        [0, *range(25, 40)],
    ]
    # Stretches are not shorter than 4 tokens: what is around 2 and 6, and nothing but the first.
    found = [(row & mask[1]).nonzero()[:, 0].tolist() for row in seen[1]]
    assert found == [[0, 1, 2, 3], [0, 2, 3], [0], [0]]


def test_sentences_are_counted_from_one_up_to_each_end_and_padding_is_of_none():
    model = a_model(sentence_ends=[7, 8])
    ids = torch.tensor([[1, 2, 7, 3, 8, 7, 4], [1, 7, 2, 7, 0, 0, 0]])
    mask = torch.tensor([[1] * 7, [1, 1, 1, 0, 0, 0, 0]]).bool()
    assert sentences(model, ids, mask).tolist() == [[1, 1, 1, 2, 2, 3, 4], [1, 1, 2, 0, 0, 0, 0]]
    assert sentences(a_model(), ids, mask).tolist() == mask.long().tolist()
    with pytest.raises(ValueError, match=r"apart.*sentence_ends"):
        tiny_model(memory_tokens="inline", sentence_ends=[7])


def test_a_sentence_with_tokens_of_its_own_is_seen_by_no_others_and_one_without_by_all_around():
    # 40 tokens, stretches around 5, 15, 25, 35, of which each token sees 10 to either side.
    told = torch.tensor([[1] * 12 + [2] * 6 + [3] * 4 + [4] * 12 + [5] * 6])
    rows = [row.nonzero()[:, 0].tolist() for row in stretches(told, 4)[0]]
    assert rows == [
        list(range(12)),  # sentence 1; the 2nd is that of the next token
        [0, *range(12, 22)],  # sentence 2, and 3, which has no token
        [0, *range(18, 34)],  # 3, and 4
        [0, *range(34, 40)],
    ]


def test_padding_changes_nothing_of_what_memory_tokens_see():
    model, ids = a_model(sentence_ends=[7, 8]), random_ids(1, 9, seed=3)
    ids[0, [3, 5, 8]] = torch.tensor([7, 8, 7])
    padded = torch.cat([ids, torch.full((1, 5), 7)], dim=1)
    mask = torch.tensor([[1] * 9 + [0] * 5])
    (_, alone), (_, beside) = model.run(ids, write=True), model.run(padded, mask, write=True)
    torch.testing.assert_close(alone.associations, beside.associations)
    ended = model.run(ids[:, :6], write=True)[1].associations
    model.config.sentence_ends = []
    assert not torch.allclose(model.run(ids[:, :6], write=True)[1].associations, ended)


def test_a_memory_token_is_a_row_of_the_backbone_that_no_other_row_sees():
    model, ids = tiny_model(memory_tokens="apart", num_memory_tokens=1), random_ids(2, 7)
    mask = torch.ones_like(ids).bool()
    embedded = model.backbone.get_input_embeddings()(ids)
    rows = torch.cat([embedded, model.memory_tokens.expand(2, 1, -1)], dim=1)
    sees = torch.ones(2, 1, 8, 8).bool()
    sees[:, :, :7, 7] = False
    expected = model.backbone.bert(
        inputs_embeds=rows,
        position_ids=torch.tensor([[0, 1, 2, 3, 4, 5, 6, 3]]),  # it stands in the middle
        attention_mask=torch.zeros(sees.shape).masked_fill(~sees, -1e9),
        output_hidden_states=True,
    ).hidden_states
    text, made = through(model, ids, mask, model.empty_memory(2))
    torch.testing.assert_close(made[:, :, 0], torch.stack(expected[1:])[:, :, 7])
    torch.testing.assert_close(text, expected[-1][:, :7])


def test_memory_tokens_read_what_was_written_before():
    model, ids = a_model(), random_ids(2, 7)
    before = read(model, 2)
    _, told = through(model, ids, torch.ones_like(ids).bool(), before)
    empty = model.empty_memory(2)
    _, untold = through(model, ids, torch.ones_like(ids).bool(), empty)
    assert float((told - untold).detach().abs().mean()) > 0.05


def test_padding_and_the_other_documents_of_a_batch_change_nothing():
    model = a_model()
    ids, mask = random_ids(2, 7), torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    before = read(model, 2)
    _, both = model.run(ids, mask, before, write=True)
    _, alone = model.run(ids[1:, :4], None, before.select(1), write=True)
    torch.testing.assert_close(
        both.select(1).associations, alone.associations, rtol=1e-4, atol=1e-4
    )
    prefix = torch.tensor([3, 3])
    asked, _ = model.run(ids, mask, before, prefix=prefix, role="answer")
    once, _ = model.run(ids[1:, :4], None, before.select(1), prefix=prefix[1:], role="answer")
    torch.testing.assert_close(asked[1:, :4], once, rtol=1e-4, atol=1e-5)


def test_only_what_is_asked_of_a_memory_is_told_what_it_holds():
    model, ids = a_model(), random_ids(2, 7)
    memory, prefix = read(model, 2), torch.tensor([7, 7])
    empty, _ = model.run(ids, None, None, prefix=prefix, role="answer")
    full, _ = model.run(ids, None, memory, prefix=prefix, role="answer")
    assert float((full - empty).abs().mean()) > 0.05
    for role in (None, "reader"):
        assert torch.equal(model.run(ids, role=role)[0], model.run(ids, None, memory, role=role)[0])


def test_an_answer_does_not_see_its_future():
    model, memory = a_model(), read(a_model(), 2)
    ids, prefix = random_ids(2, 8), torch.tensor([4, 4])
    other = ids.clone()
    other[:, 6:] = random_ids(2, 2, seed=77)
    one, _ = model.run(ids, None, memory, prefix=prefix, role="answer")
    two, _ = model.run(other, None, memory, prefix=prefix, role="answer")
    torch.testing.assert_close(one[:, :6], two[:, :6])
    assert float((one[:, 6:] - two[:, 6:]).abs().mean()) > 0.05


def test_what_is_asked_reads_the_memory_before_every_layer_at_every_position():
    model, memory, ids = a_model(), read(a_model(), 2), random_ids(2, 5)
    adapter, mask = model.adapter, torch.ones(2, 5).bool()
    rows = adapter.place(adapter.tokens(ids), torch.arange(5).expand(2, -1))
    context = Context(attention_bias(mask, 5, 0, None, False, False, rows.dtype), torch.arange(5))
    for index in range(model.config.num_hidden_layers):
        told = plain_read(
            rows,
            memory.associations[index],
            memory.normalizer[index],
            model.associative.query[index],
        )
        rows = adapter.layer(index, told, context, model.deltas["answer"][index])
    asked, _ = model.run(ids, None, memory, role="answer")
    torch.testing.assert_close(asked, rows)


def test_questions_about_one_document_share_its_memory():
    model, memory = a_model(), read(a_model(), 2)
    ids, prefix = random_ids(4, 6), torch.full((4,), 6)
    shared, _ = model.run(ids, None, memory, prefix=prefix, role="answer")
    spread, _ = model.run(ids, None, memory.take([0, 0, 1, 1]), prefix=prefix, role="answer")
    torch.testing.assert_close(shared, spread)


@pytest.mark.parametrize("kind", ["apart", "own"])
def test_a_role_is_the_backbone_with_its_low_rank_product_added(kind):
    model = tiny_model(memory_tokens=kind, deltas={"reader": 4})
    ids, mask = random_ids(2, 7), torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    plain, _ = model.run(ids, mask)
    fresh, _ = model.run(ids, mask, role="reader")
    torch.testing.assert_close(fresh, plain)  # U begins at zero
    merged = copy.deepcopy(model.backbone)
    with torch.no_grad():
        for delta, layer in zip(model.deltas["reader"], merged.bert.encoder.layer, strict=True):
            places: dict[str, nn.Linear] = {
                "query": layer.attention.self.query,
                "key": layer.attention.self.key,
                "value": layer.attention.self.value,
                "attended": layer.attention.output.dense,
                "widen": layer.intermediate.dense,
                "narrow": layer.output.dense,
            }
            assert set(places) == {name for name, _ in delta.named_children()}
            for name, linear in places.items():
                part = delta.get_submodule(name)
                part.outward.normal_(std=0.3)
                linear.weight += part.outward @ part.inward
    expected = merged.bert(ids, mask).last_hidden_state
    changed, _ = model.run(ids, mask, role="reader")
    torch.testing.assert_close(changed[mask.bool()], expected[mask.bool()], rtol=1e-4, atol=1e-5)
    assert float((changed - plain).abs().mean()) > 0.05
    torch.testing.assert_close(model.run(ids, mask)[0], plain)  # the others are as they were


def test_gradients_reach_the_first_segment_and_leave_the_text_alone():
    model = a_model()
    for name, weight in model.named_parameters():
        weight.requires_grad_(not name.startswith("backbone."))
    first, memory = model.run(random_ids(2, 9), write=True)
    assert not first.requires_grad
    _, memory = model.run(random_ids(2, 9, seed=2), memory=memory, write=True)
    prefix = torch.tensor([6, 6])
    hidden, _ = model.run(random_ids(2, 6), None, memory, prefix=prefix, role="answer")
    hidden.square().sum().backward()
    for name in ("memory.0.query.outward", "memory.1.value.inward", "answer.0.widen.outward"):
        assert float(model.deltas.get_parameter(name).grad.abs().max()) > 0, name
    assert float(model.associative.key.grad.abs().max()) > 0
    assert all(weight.grad is None for weight in model.backbone.parameters())


def test_text_and_memory_tokens_in_one_row_are_what_they_are_one_after_the_other():
    model, ids = a_model(), random_ids(2, 9)
    mask = torch.tensor([[1] * 9, [1] * 5 + [0] * 4]).bool()
    memory = read(model, 2)
    text, made = through(model, ids, mask, memory)
    with torch.no_grad():
        together, beside = through(model, ids, mask, memory)
    assert text.requires_grad and not together.requires_grad
    torch.testing.assert_close(together, text)
    torch.testing.assert_close(beside, made)


def test_weights_come_in_one_order_however_the_roles_are_named():
    """An optimiser knows its weights by their number, also after a checkpoint."""
    one = tiny_model(memory_tokens="apart", deltas={"reader": 2, "answer": 2})
    other = tiny_model(memory_tokens="apart", deltas={"answer": 2, "reader": 2})
    assert [n for n, _ in one.named_parameters()] == [n for n, _ in other.named_parameters()]


def test_deltas_are_saved_and_loaded(tmp_path):
    model, ids = a_model(), random_ids(2, 6)
    model.save_pretrained(tmp_path)
    again = ArmtModel.from_pretrained(tmp_path).eval()
    assert again.config.deltas == ROLES and again.config.memory_tokens == "apart"
    memory, prefix = read(model, 2), torch.tensor([6, 6])
    one, _ = model.run(ids, None, memory, prefix=prefix, role="answer")
    two, _ = again.run(ids, None, memory, prefix=prefix, role="answer")
    assert torch.equal(one, two)


def test_what_cannot_be_is_refused():
    with pytest.raises(ModelError, match="takes neither deltas nor"):
        ArmtModel(ArmtConfig(backbone=backbone_config("gpt2"), memory_tokens="apart"))
    with pytest.raises(ModelError, match="takes neither deltas nor"):
        ArmtModel(ArmtConfig(backbone=backbone_config("llama"), deltas={"reader": 2}))
    with pytest.raises(ValueError, match="'poet'"):
        ArmtConfig(backbone=backbone_config("bert"), deltas={"poet": 2})  # type: ignore[dict-item]
    with pytest.raises(ModelError, match="Only text that is read is written"):
        a_model().run(random_ids(1, 5), write=True, role="reader")
