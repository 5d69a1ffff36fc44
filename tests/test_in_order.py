"""Memory tokens that read what those before them in their segment write."""

import pytest
import torch
from torch import Tensor

from armt_core import ArmtConfig, ArmtModel
from armt_core.apart import enter
from armt_core.associative import Projections, projections, read, write
from armt_core.in_order import read_in_order, writes_any
from armt_core.lowrank import LowRank
from tests.fakes import backbone_config, random_ids, tiny_model

B, M, D, d_mem = 2, 5, 8, 4
K = 6 * d_mem


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def of(bias: float = 0.0) -> Projections:
    """bias: how much every token wants to be written."""
    query, key = drawn(d_mem, D, seed=1), drawn(d_mem, D, seed=2)
    return Projections(
        query, key, drawn(D, D, seed=3), drawn(D, seed=4) / 4, torch.tensor(bias).double()
    )


def state() -> tuple[Tensor, Tensor]:
    return drawn(B, K, D, seed=5), drawn(B, K, seed=6).abs()


def written_by(made: Tensor, count: int, A: Tensor, z: Tensor, by: Projections):
    """A and z after the first `count` tokens of `made` were written."""
    put = write(
        made[None, :, :count], A[None], z[None], torch.zeros(B, dtype=torch.bool),
        by.key[None], by.value[None], by.beta_weight[None], by.beta_bias[None], "armt-exact",
    )  # fmt: skip
    return tuple(t[0] for t in put.onto(A[None], z[None]))


def test_each_token_reads_the_memory_as_those_before_it_leave_it():
    by, (A, z) = of(bias=1.0), state()
    tokens, made = drawn(B, M, D, seed=7), drawn(B, M, D, seed=8)
    found = read_in_order(tokens, made, A, z, by, "armt-exact")
    for m in range(M):
        so_far = written_by(made, m, A, z, by)
        alone = read(tokens[:, m : m + 1], *so_far, by.query, "armt-exact")
        torch.testing.assert_close(found[:, m : m + 1], alone, rtol=1e-10, atol=1e-10)
    plain = read(tokens, A, z, by.query, "armt-exact")
    torch.testing.assert_close(found[:, :1], plain[:, :1])  # nobody is before the first
    assert float((found - plain)[:, 1:].abs().mean()) > 0.05


def test_where_no_token_of_a_document_writes_it_reads_what_was_there_before():
    A, z = state()
    tokens, made = drawn(B, M, D, seed=7), drawn(B, M, D, seed=8)
    by = of(bias=0.0)
    made[1] -= by.beta_weight * 9 / by.beta_weight.square().sum()  # the second writes nothing
    assert writes_any(made, by) and writes_any(made[:1], by) and not writes_any(made[1:], by)
    found = read_in_order(tokens, made, A, z, by, "armt-exact")
    plain = read(tokens, A, z, by.query, "armt-exact")
    torch.testing.assert_close(found[1], plain[1], rtol=0, atol=0)
    assert float((found - plain)[0].abs().mean()) > 0.05
    alone = read_in_order(tokens[:1], made[:1], A[:1], z[:1], by, "armt-exact")
    torch.testing.assert_close(found[:1], alone)


def test_no_gradient_goes_into_what_those_before_write():
    by, (A, z) = of(bias=1.0), state()
    tokens, made = drawn(B, M, D, seed=7).requires_grad_(), drawn(B, M, D, seed=8).requires_grad_()
    read_in_order(tokens, made, A, z, by, "armt-exact").sum().backward()
    assert made.grad is None
    # Into the query it goes, also where that asks what those before write.
    with torch.no_grad():
        so_far = written_by(made, M - 1, A, z, by)
    last = tokens.detach()[:, M - 1 :].requires_grad_()
    read(last, *so_far, by.query, "armt-exact").sum().backward()
    torch.testing.assert_close(tokens.grad[:, M - 1 :], last.grad)  # type: ignore[index]


def a_model(**settings) -> ArmtModel:
    model = tiny_model(
        memory_tokens="apart", deltas={"memory": 2}, system="armt-exact", **settings
    ).double()
    with torch.no_grad():
        model.associative.beta_bias.fill_(3.0)
        for module in model.modules():
            if isinstance(module, LowRank):
                module.outward.normal_(std=0.3)
    return model


def test_a_segment_is_gone_through_twice_and_the_second_time_is_written():
    """By hand, layer after layer, with the parts of the model."""
    model, ids = a_model(reads_in_order=True), random_ids(2, 9)
    _, before = model.run(random_ids(2, 9, seed=8), write=True)
    _, after = model.run(ids, memory=before, write=True)

    adapter, delta, segment = model.adapter, model.delta("memory"), enter(model, ids, ids >= 0)
    text, tokens, by = segment.text, segment.tokens, projections(model.associative)
    for layer in range(model.config.num_hidden_layers):
        A, z = before.associations[layer], before.normalizer[layer]
        once = adapter.layer_apart(
            layer, text, read(tokens, A, z, by[layer].query, "armt-exact"),
            segment.of_text, segment.of_tokens, delta[layer],
        )  # fmt: skip
        again = read_in_order(tokens, once[1], A, z, by[layer], "armt-exact")
        _, tokens = adapter.layer_apart(
            layer, text, again, segment.of_text, segment.of_tokens, delta[layer]
        )
        text = once[0]
        want = written_by(tokens, tokens.shape[1], A, z, by[layer])
        torch.testing.assert_close(after.associations[layer], want[0], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(after.normalizer[layer], want[1], rtol=1e-9, atol=1e-9)


def test_an_empty_memory_is_read_in_order_too():
    model, ids = a_model(reads_in_order=True), random_ids(2, 9)
    _, none = model.run(ids, write=True)
    _, zeros = model.run(ids, memory=model.empty_memory(2), write=True)
    torch.testing.assert_close(none.associations, zeros.associations)
    model.config.reads_in_order = False
    _, once = model.run(ids, write=True)
    assert float((once.associations - none.associations).detach().abs().max()) > 1e-3


def test_a_segment_in_which_nothing_is_written_is_read_as_without():
    model, ids = a_model(reads_in_order=True), random_ids(2, 9)
    with torch.no_grad():
        model.associative.beta_bias.fill_(-30.0)
    _, in_order = model.run(ids, write=True)
    model.config.reads_in_order = False
    _, once = model.run(ids, write=True)
    assert torch.equal(in_order.associations, once.associations)


@pytest.mark.parametrize(
    "settings", [{"memory_tokens": "own"}, {"memory_tokens": "apart", "system": "armt"}]
)
def test_only_tokens_that_are_apart_and_written_in_order_read_in_order(settings):
    settings = {"system": "armt-exact", **settings}
    with pytest.raises(ValueError, match="read in order"):
        ArmtConfig(backbone=backbone_config("bert"), reads_in_order=True, **settings)
