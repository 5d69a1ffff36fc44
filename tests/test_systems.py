"""The systems of the paper behind one interface: their algebra, and what they hand on."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from armt_core import ArmtConfig, ArmtModel, read_diagonal, read_sequential
from armt_core.associative import dpfp
from armt_core.errors import MemoryMismatch, ModelError
from armt_core.fingerprint import fingerprint
from armt_core.layer_states import LayerStates
from armt_core.padding import pad_segments
from armt_core.recurrent import RecurrentModel
from armt_core.seen_tokens import SeenTokens
from armt_core.systems import SystemModel, new_system
from armt_core.token_memory import TokenMemory
from tests.fakes import FAMILIES, backbone_config, random_ids, tiny_model
from training.traced import read_documents_traced

ASSOCIATIVE = (
    "armt",
    "armt-exact",
    "armt-unit-keys",
    "armt-without-gamma",
    "armt-without-delta",
)
HANDED = ("rmt", "prmt")
BACKBONES = ("sliding-window", "full-attention")
#: Of a causal backbone: what "sliding-window" sees before a token.
WINDOW = 5
CAUSAL = [family for family in FAMILIES if family != "bert"]
SYSTEMS_AND_FAMILIES = [
    *((system, family) for system in (*ASSOCIATIVE, *HANDED) for family in FAMILIES),
    *((system, family) for system in BACKBONES for family in CAUSAL),
    ("mamba", "mamba2"),
]
#: The same with one family for each.
EACH_SYSTEM = [pair for pair in SYSTEMS_AND_FAMILIES if pair[1] in ("gpt2", "mamba2")]


def a_system(system: str, family: str = "gpt2") -> SystemModel:
    """Two layers in float64 with weights large enough to matter."""
    torch.manual_seed(0)
    config = ArmtConfig(
        backbone=backbone_config(family),
        num_memory_tokens=3,
        memory_dim=4,
        segment_tokens=24,
        system=system,
        window=WINDOW if system == "sliding-window" else None,
    )
    model = new_system(config).double().eval()
    if system == "mamba":  # transformers computes its states in float32, and its weights are large
        return model.float()
    with torch.no_grad():
        if isinstance(model, ArmtModel | RecurrentModel):
            model.memory_tokens.normal_(std=0.5)
        for parameter in model.backbone.parameters():
            parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
        if isinstance(model, ArmtModel):
            model.associative.value.normal_(std=0.3)
            for weight in (model.associative.query, model.associative.key):
                weight.normal_(std=0.5)
    return model


def numbers(memory) -> Tensor:
    """What is kept of one document, or of several that have read as much."""
    if isinstance(memory, SeenTokens):  # but for the room that other documents of a batch need
        kept = memory.keys[:, :, :, int((memory.places() < 0).sum(-1).max()) :]
        return torch.cat([kept, memory.values[:, :, :, -kept.shape[3] :]])
    if isinstance(memory, LayerStates):
        return torch.cat([memory.conv.flatten(2), memory.recurrent.flatten(2)], dim=-1)
    return memory.tokens if isinstance(memory, TokenMemory) else memory.associations


def close(one: Tensor, other: Tensor) -> None:
    most = 1e-9 if one.dtype == torch.float64 else 1e-4
    torch.testing.assert_close(one, other, rtol=most, atol=most)


def keys_and_changes(model: ArmtModel, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """phi(W_k m) and beta W_v m of each layer, (L, B, M, ...)."""
    memory = model.associative
    keys = dpfp(torch.einsum("lbmd,lkd->lbmk", tokens, memory.key))
    beta = torch.einsum("lbmd,ld->lbm", tokens, memory.beta_weight)
    beta = torch.sigmoid(beta + memory.beta_bias.view(-1, 1, 1))
    return keys, beta[..., None] * torch.einsum("lbmd,lvd->lbmv", tokens, memory.value)


def made_by(model: ArmtModel, ids: Tensor) -> list[Tensor]:
    """The memory tokens of each segment of ids (B, S, T)."""
    memory, made = model.empty_memory(len(ids)), []
    for segment in ids.unbind(1):
        made.append(model.through(segment, None, memory)[1])
        memory = model.run(segment, None, memory, write=True)[1]
    return made


def test_without_gamma_z_is_the_sum_of_all_keys_and_a_still_replaces():
    model, ids = a_system("armt-without-gamma"), random_ids(2, 4, 7)
    assert isinstance(model, ArmtModel)
    A: Tensor | None = None
    z = torch.zeros(())
    for tokens in made_by(model, ids):
        keys, changes = keys_and_changes(model, tokens)
        if A is None:
            A = torch.einsum("lbmk,lbmd->lbkd", keys, changes)
        else:
            stored = keys @ A / (keys @ z[..., None] + 1e-5)
            beta = torch.einsum("lbmd,ld->lbm", tokens, model.associative.beta_weight)
            beta = torch.sigmoid(beta + model.associative.beta_bias.view(-1, 1, 1))[..., None]
            A = A + torch.einsum("lbmk,lbmd->lbkd", keys, changes - beta * stored)
        z = z + keys.sum(-2)
    memory = read_sequential(model, ids).memory
    assert A is not None
    close(memory.normalizer, z)
    close(memory.associations, A)


def test_gamma_is_all_that_differs_from_the_system_without_it():
    """After one segment both are alike, for the first write takes gamma = 1; then z is smaller."""
    whole, without = a_system("armt"), a_system("armt-without-gamma")
    ids = random_ids(1, 2, 7)
    one = [read_sequential(model, ids[:, :1]).memory for model in (whole, without)]
    assert torch.equal(one[0].normalizer, one[1].normalizer)
    two = [read_sequential(model, ids).memory for model in (whole, without)]
    assert torch.equal(two[0].associations[0], two[1].associations[0])
    smaller = two[0].normalizer <= two[1].normalizer + 1e-12
    assert bool(smaller[0].all()) and not torch.equal(two[0].normalizer, two[1].normalizer)


def test_without_the_delta_rule_a_and_z_are_plain_sums():
    model, ids = a_system("armt-without-delta"), random_ids(2, 4, 7)
    assert isinstance(model, ArmtModel)
    parts = [keys_and_changes(model, tokens) for tokens in made_by(model, ids)]
    memory = read_sequential(model, ids).memory
    close(memory.normalizer, torch.stack([keys.sum(-2) for keys, _ in parts]).sum(0))
    sums = [torch.einsum("lbmk,lbmd->lbkd", keys, changes) for keys, changes in parts]
    close(memory.associations, torch.stack(sums).sum(0))


@pytest.mark.parametrize("system", ["armt-without-gamma", "armt-without-delta"])
def test_the_gates_of_a_system_without_gamma_say_one(system: str):
    model = a_system(system)
    assert isinstance(model, ArmtModel)
    memory = read_sequential(model, random_ids(1, 2, 7)).memory
    tokens = model.through(random_ids(1, 7), None, memory)[1]
    _, written = model.write(tokens, memory, torch.tensor([True]))
    assert bool((written.gamma == 1).all())


@pytest.mark.parametrize("system", ["armt-without-gamma", "armt-without-delta"])
def test_reading_along_the_diagonal_knows_every_associative_system(system: str):
    model, ids = a_system(system), random_ids(2, 5, 7)
    assert isinstance(model, ArmtModel)
    one, other = read_sequential(model, ids), read_diagonal(model, ids)
    close(one.hidden, other.hidden)
    close(one.memory.normalizer, other.memory.normalizer)


@pytest.mark.parametrize(
    ("system", "family"), [pair for pair in SYSTEMS_AND_FAMILIES if pair[0] not in ASSOCIATIVE]
)
def test_before_anything_is_read_the_system_is_its_backbone(system: str, family: str):
    model, ids = a_system(system, family), random_ids(2, WINDOW + 1)
    for write in (False, True):
        hidden, _ = model.run(ids, write=write)
        close(model.adapter.logits(hidden), model.backbone(input_ids=ids).logits)


@pytest.mark.parametrize(("system", "family"), SYSTEMS_AND_FAMILIES)
def test_whole_equals_pieces(system: str, family: str):
    model, ids = a_system(system, family), random_ids(2, 5, 7)
    whole = read_sequential(model, ids)
    first = read_sequential(model, ids[:, :2])
    rest = read_sequential(model, ids[:, 2:], memory=first.memory)
    assert torch.equal(torch.cat([first.hidden, rest.hidden], dim=1), whole.hidden)
    assert torch.equal(numbers(rest.memory), numbers(whole.memory))
    assert rest.memory.segments_read.tolist() == [5, 5]


@pytest.mark.parametrize("system", [*ASSOCIATIVE, *HANDED, "full-attention", "mamba"])
def test_what_the_last_segment_says_has_a_gradient_to_the_first(system: str):
    model = a_system(system, "mamba2" if system == "mamba" else "gpt2")
    ids = random_ids(1, 4, 7)
    given: list[Tensor] = []

    def keep(module, inputs, out: Tensor) -> None:
        out.retain_grad()
        given.append(out)

    handle = model.get_input_embeddings().register_forward_hook(keep)
    reading = read_sequential(model, ids)
    handle.remove()
    # Weighted: after a layer norm a plain sum is the same whatever was read.
    last = reading.hidden[:, -1]
    (last * torch.linspace(-1, 1, last.shape[-1])).sum().backward()
    for segment in given:
        assert segment.grad is not None and float(segment.grad.abs().max()) > 1e-9
    if system in (*ASSOCIATIVE, *HANDED):
        assert model.memory_tokens.grad is not None


@pytest.mark.parametrize(
    ("system", "family"),
    [
        pair
        for pair in SYSTEMS_AND_FAMILIES
        if pair[0] not in ASSOCIATIVE and pair[1] in ("bert", "gpt2", "llama", "mamba2")
    ],
)
def test_documents_of_unequal_length_are_each_as_if_alone(system: str, family: str):
    """Among them one that reads its first segment while the others have a memory."""
    model = a_system(system, family)
    documents = [
        [random_ids(n, seed=10 * d + s).tolist() for s, n in enumerate(lengths)]
        for d, lengths in enumerate([[9, 4, 7], [5], [6, 9]])
    ]
    ids, mask = pad_segments(documents)
    together = read_sequential(model, ids, mask)
    assert together.memory.segments_read.tolist() == [3, 1, 2]
    begun = read_sequential(model, ids[:1, :1], mask[:1, :1]).memory
    mixed = type(begun).stack([begun, model.empty_memory(1)])
    late = model.run(ids[[0, 2], [1, 0]], mask[[0, 2], [1, 0]], mixed, write=True)[1]
    for index, document in enumerate(documents):
        memory = None
        for step, tokens in enumerate(document):
            alone = read_sequential(model, torch.tensor(tokens)[None, None], memory=memory)
            memory = alone.memory
            close(together.hidden[index, step, : len(tokens)], alone.hidden[0, 0])
            if (index, step) in ((0, 1), (2, 0)):
                close(numbers(late.select(0 if index == 0 else 1)), numbers(memory))
        close(numbers(together.memory.select(index)), numbers(memory))


@pytest.mark.parametrize(("system", "family"), EACH_SYSTEM)
def test_a_document_that_is_over_keeps_its_memory_and_a_question_writes_none(
    system: str, family: str
):
    model, ids = a_system(system, family), random_ids(2, 3, 7)
    memory = read_sequential(model, ids).memory
    mask = torch.tensor([[1] * 7, [0] * 7])
    after = model.run(random_ids(2, 7, seed=4), mask, memory, write=True)[1]
    assert torch.equal(numbers(after.select(1)), numbers(memory.select(1)))
    assert not torch.equal(numbers(after.select(0)), numbers(memory.select(0)))
    assert after.segments_read.tolist() == [4, 3]
    assert model.run(random_ids(2, 7, seed=4), None, memory)[1] is memory


@pytest.mark.parametrize(("system", "family"), EACH_SYSTEM)
def test_a_memory_grows_with_full_attention_alone(system: str, family: str):
    model, ids = a_system(system, family), random_ids(2, 4, 7)
    sizes = [read_sequential(model, ids[:, :n]).memory.numbers for n in (1, 2, 4)]
    if system == "full-attention":
        assert sizes == [sizes[0], 2 * sizes[0], 4 * sizes[0]]
    else:
        assert sizes == [model.empty_memory().numbers] * 3


@pytest.mark.parametrize(("system", "family"), EACH_SYSTEM)
def test_memories_are_stacked_and_taken_apart_in_any_order(system: str, family: str):
    model, ids = a_system(system, family), random_ids(3, 2, 7)
    memory = read_sequential(model, ids).memory
    kind = type(memory)
    again = kind.stack([memory.select(-1), memory.take([0, 1]).detach().to("cpu")])
    assert again.batch == 3
    for field in vars(memory):
        assert torch.equal(getattr(again.take([1, 2, 0]), field), getattr(memory, field)), field
    with pytest.raises(MemoryMismatch, match="at least one memory"):
        kind.stack([])


def test_rmt_is_the_backbone_with_the_handed_tokens_around_the_text():
    """By hand: Llama over embeddings [memory, text, memory], causal, twice."""
    model, ids = a_system("rmt", "llama"), random_ids(1, 2, 7)
    embed, inner = model.get_input_embeddings(), model.backbone.model
    own = model.memory_tokens[None]
    first = inner(inputs_embeds=torch.cat([embed(ids[:, 0]), own], dim=1)).last_hidden_state
    handed = first[:, 7:]
    rows = torch.cat([handed, embed(ids[:, 1]), handed], dim=1)
    second = inner(inputs_embeds=rows).last_hidden_state
    reading = read_sequential(model, ids)
    close(reading.hidden, torch.stack([first[:, :7], second[:, 3:10]], dim=1))
    close(reading.memory.tokens[0], second[:, 10:])


def test_prmt_hands_the_tokens_of_each_layer_to_the_same_layer():
    model, ids = a_system("prmt", "llama"), random_ids(1, 2, 7)
    assert isinstance(model, RecurrentModel)
    memory = read_sequential(model, ids[:, :1]).memory
    assert memory.tokens.shape == (2, 1, 3, 32)
    for layer in (0, 1):  # other tokens for one layer change what it and those above it leave
        tokens = memory.tokens.clone()
        tokens[layer] += torch.randn(3, 32, generator=torch.Generator().manual_seed(5))
        changed = model.run(ids[:, 1], None, TokenMemory(tokens, memory.segments_read), True)[1]
        plain = model.run(ids[:, 1], None, memory, True)[1]
        differs = [not torch.equal(changed.tokens[i], plain.tokens[i]) for i in (0, 1)]
        assert differs == [layer == 0, True]


@pytest.mark.parametrize(
    ("system", "family"),
    [("rmt", "gpt2"), ("prmt", "gpt2"), ("sliding-window", "llama"), ("mamba", "mamba2")],
)
def test_a_system_is_saved_and_opened_as_it_was(system: str, family: str, tmp_path: Path):
    model, ids = a_system(system, family), random_ids(1, 3, 7)
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path, dtype=model.dtype).eval()
    assert again.config.system == system
    close(read_sequential(again, ids).hidden, read_sequential(model, ids).hidden)


def test_another_system_of_the_same_weights_is_another_model(tmp_path: Path):
    model = a_system("armt")
    model.save_pretrained(tmp_path)
    before = fingerprint(tmp_path, {})
    described = json.loads((tmp_path / "config.json").read_text())
    for system, same in ((None, True), ("armt-without-gamma", False)):
        described.pop("system", None)
        (tmp_path / "config.json").write_text(
            json.dumps(described | ({"system": system} if system else {}))
        )
        assert (fingerprint(tmp_path, {}) == before) is same


def test_what_does_not_fit_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="system must be one of"):
        ArmtConfig(system="lstm")
    config = ArmtConfig(backbone=backbone_config("gpt2"), segment_tokens=24, system="rmt")
    with pytest.raises(ModelError, match=r"ArmtModel is for .*, not for 'rmt'; .*new_system"):
        ArmtModel(config)
    with pytest.raises(ModelError, match="RecurrentModel is for the systems rmt, prmt, not for"):
        RecurrentModel(ArmtConfig(backbone=backbone_config("gpt2"), segment_tokens=24))
    for system, family in (("rmt", "gpt2"), ("full-attention", "gpt2"), ("mamba", "mamba2")):
        inline = ArmtConfig(backbone=backbone_config(family), memory_tokens="inline", system=system)
        with pytest.raises(ModelError, match=f'{system!r} has memory_tokens "own", no deltas'):
            new_system(inline)
    traced = tiny_model(memory_tokens="apart", system="armt-without-gamma")
    ids = random_ids(1, 2, 7)
    with pytest.raises(ModelError, match='systems "armt" and "armt-exact", not'):
        read_documents_traced(traced, ids, torch.ones_like(ids).bool())
    model = a_system("rmt")
    with pytest.raises(ModelError, match="62 tokens and 3 memory tokens before it is longer"):
        model.run(random_ids(1, 62))
    with pytest.raises(MemoryMismatch, match="holds 2 documents, the tokens are of 1 rows"):
        model.run(random_ids(1, 4), memory=model.empty_memory(2))
    with pytest.raises(MemoryMismatch, match=r"= \(2, 3, 32\), the model has \(1, 3, 32\)"):
        model.run(random_ids(1, 4), memory=a_system("prmt").empty_memory())
    with pytest.raises(MemoryMismatch, match="tokens must be"):
        TokenMemory(torch.zeros(1, 2, 3, 4), torch.zeros(1).long())
