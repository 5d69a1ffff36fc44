"""The equations of the memory: by hand, against plain loops, and their algebra."""

import pytest
import torch
from torch import Tensor

from armt_core.associative import (
    EPS,
    PRIOR,
    AssociativeMemory,
    dpfp,
    features,
    read,
    write,
)
from armt_core.config import System
from tests.plain_armt import PlainMemory

SCALES = [1.0, 0.1, 0.02]


class OneLayer(AssociativeMemory):
    """A single layer's memory, its axis of layers hidden."""

    def __init__(self, width: int, memory_dim: int, system: System = "armt") -> None:
        super().__init__(1, width, memory_dim, system)
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, std=0.7)

    def read(self, x: Tensor, A: Tensor, z: Tensor) -> Tensor:
        return read(x, A, z, self.query[0], self.system)

    def write(self, tokens: Tensor, A: Tensor, z: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        new_A, new_z, _ = super().write(tokens[None], A[None], z[None], first)
        return new_A[0], new_z[0]


def test_dpfp_by_hand():
    # x = [1, -2]: u = [1, 0, 0, 2]; each block is u times u rolled by 1, 2, 3.
    x = torch.tensor([1.0, -2.0])
    expected = [1 * 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 * 1]
    assert dpfp(x).tolist() == expected


def test_dpfp_is_never_negative_and_scales_with_the_square():
    x = torch.randn(5, 7, dtype=torch.float64)
    assert bool((dpfp(x) >= 0).all())
    torch.testing.assert_close(dpfp(3 * x), 9 * dpfp(x))


def test_unit_keys_have_length_one_at_every_scale_and_zeros_stay_zeros():
    x = torch.tensor([[0.5, -2.0, 3.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    found = features(x, "armt-unit-keys")
    torch.testing.assert_close(found.norm(dim=-1), torch.tensor([1.0, 0.0]).double())
    torch.testing.assert_close(found, features(1e-3 * x, "armt-unit-keys"))
    assert torch.equal(features(x), dpfp(x))
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert torch.equal(
            features(torch.zeros(3).to(dtype), "armt-unit-keys"), torch.zeros(18).to(dtype)
        )


def test_read_by_hand():
    # q = phi([1, -2]) = 2 at features 0 and 11, so z.q = 2*3 + 2*1 = 8, A^T q = 2*5 + 2*1 = 12.
    associations, normalizer = torch.zeros(1, 12, 1), torch.zeros(1, 12)
    associations[0, 0, 0], associations[0, 11, 0] = 5.0, 1.0
    normalizer[0, 0], normalizer[0, 11] = 3.0, 1.0
    x = torch.tensor([[[1.0]]])
    out = read(x, associations, normalizer, torch.tensor([[1.0], [-2.0]]))
    torch.testing.assert_close(out, torch.tensor([[[1 + 12 / (8 + EPS)]]]))


def test_the_first_write_by_hand():
    # One token m = 1: k = phi([1, -2]), v = 3, beta = sigmoid(0) = 1/2, gamma = 1, vbar = 0.
    m, first = torch.tensor([[[[1.0]]]]), torch.tensor([True])
    weights = _weights_by_hand()
    empty = torch.zeros(1, 1, 12, 1), torch.zeros(1, 1, 12)
    A, z = write(m, *empty, first, *weights).onto(*empty)
    key = torch.tensor([2.0] + [0.0] * 10 + [2.0])
    torch.testing.assert_close(A[0, 0, :, 0], key * 1.5)
    torch.testing.assert_close(z[0, 0], key)


def test_the_second_write_by_hand():
    # Same token again: z.k = 8 and |k|^2 = 8, so vbar = (A.k)/(8 + eps) = 12/(8 + eps) and
    # gamma = 1 - (8 + eps)/(8 + eps) = 0: A grows by k/2 (3 - vbar), z stays.
    m = torch.tensor([[[[1.0]]]], dtype=torch.float64)
    key = torch.tensor([2.0] + [0.0] * 10 + [2.0], dtype=torch.float64)
    A, z = (key * 1.5)[None, None, :, None], key[None, None]
    weights = [w.double() for w in _weights_by_hand()]
    A2, z2 = write(m, A, z, torch.tensor([False]), *weights).onto(A, z)
    stored = 12 / (8 + EPS)
    torch.testing.assert_close(A2[0, 0, :, 0], key * 1.5 + key * 0.5 * (3 - stored))
    torch.testing.assert_close(z2, z)


def _weights_by_hand() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W_k, W_v, W_beta and b of one layer of width 1 with d_mem 2."""
    return (
        torch.tensor([[[1.0], [-2.0]]]),
        torch.tensor([[[3.0]]]),
        torch.tensor([[0.0]]),
        torch.tensor([0.0]),
    )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("segments", [1, 4])
def test_values_and_gradients_equal_plain_loops(scale: float, segments: int):
    D, d_mem, M, T = 6, 4, 3, 5
    torch.manual_seed(0)
    memory = OneLayer(D, d_mem).double()
    tokens = scale * torch.randn(segments, M, D, dtype=torch.float64)
    text = scale * torch.randn(T, D, dtype=torch.float64)
    ours_in, plain_in = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()

    A, z = torch.zeros(1, 6 * d_mem, D).double(), torch.zeros(1, 6 * d_mem).double()
    for index in range(segments):
        A, z = memory.write(ours_in[index][None], A, z, torch.tensor([index == 0]))
    ours = memory.read(text[None], A, z)[0]
    ours_grads = torch.autograd.grad(
        (ours**2).sum(), [ours_in, *memory.parameters()], allow_unused=True
    )

    plain = PlainMemory(
        memory.query[0], memory.key[0], memory.value[0], memory.beta_weight, memory.beta_bias
    )
    for index in range(segments):
        plain.write(plain_in[index])
    theirs = torch.stack([plain.read(x) for x in text])
    plain_grads = torch.autograd.grad(
        (theirs**2).sum(), [plain_in, *memory.parameters()], allow_unused=True
    )

    assert plain.A is not None and plain.z is not None
    torch.testing.assert_close(A[0], plain.A, rtol=1e-10, atol=1e-13 * scale)
    torch.testing.assert_close(z[0], plain.z, rtol=1e-10, atol=1e-14 * scale)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12 * scale)
    for got, expected in zip(ours_grads, plain_grads, strict=True):
        assert got is not None and expected is not None
        torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_the_general_formula_on_zeros_is_not_a_first_write(scale: float):
    """gamma would be 1 - eps / (|k|^2 + eps): why `first` is a case of its own."""
    torch.manual_seed(0)
    memory = OneLayer(6, 4).double()
    tokens = scale * torch.randn(1, 1, 6, dtype=torch.float64)
    zeros = torch.zeros(1, 24, 6).double(), torch.zeros(1, 24).double()
    _, first = memory.write(tokens, *zeros, torch.tensor([True]))
    _, general = memory.write(tokens, *zeros, torch.tensor([False]))
    squared = (first**2).sum()
    torch.testing.assert_close(general, first * (1 - EPS / (squared + EPS)))
    assert not torch.equal(first, general)


def test_what_was_written_says_how_strongly_how_new_and_how_much():
    torch.manual_seed(3)
    memory = AssociativeMemory(2, 6, 4)
    for parameter in memory.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    m, A, z = torch.randn(2, 2, 3, 6), torch.randn(2, 2, 24, 6), torch.rand(2, 2, 24)
    new_A, new_z, written = memory.write(m, A, z, torch.tensor([False, True]))
    torch.testing.assert_close(new_z - z, (written.gamma[..., None] * written.keys).sum(2))
    assert bool((written.gamma[:, 1] == 1).all()) and float(written.gamma[:, 0].detach().min()) < 1
    expected = torch.einsum("lbmd,ld->lbm", m, memory.beta_weight) + memory.beta_bias[:, None, None]
    torch.testing.assert_close(written.beta, torch.sigmoid(expected))
    torch.testing.assert_close(written.size(), (new_A - A).flatten(2).norm(dim=-1))


def test_gamma_lets_no_gradient_through():
    torch.manual_seed(0)
    memory = OneLayer(6, 4).double()
    tokens = torch.randn(1, 2, 6, dtype=torch.float64, requires_grad=True)
    A = torch.zeros(1, 24, 6).double()
    z = torch.rand(1, 24, dtype=torch.float64, requires_grad=True)
    _, after = memory.write(tokens, A, z, torch.tensor([False]))
    (grad,) = torch.autograd.grad(after.sum(), z)
    torch.testing.assert_close(grad, torch.ones_like(grad))


def _single_key_memory(scale: float) -> tuple[AssociativeMemory, Tensor]:
    """Values are free of keys: the first half of a token is the key's, the second the value's."""
    torch.manual_seed(0)
    memory = OneLayer(8, 4).double()
    with torch.no_grad():
        memory.key[0, :, 4:] = 0
        memory.key[0, :, :4].normal_()
        memory.query.copy_(memory.key)
        memory.value.zero_()
        memory.value[0, 4:, 4:] = torch.eye(4, dtype=torch.float64)
        memory.beta_weight.zero_()
        memory.beta_bias.fill_(60.0)  # sigmoid is 1 to the last bit
    tokens = torch.randn(1, 2, 8, dtype=torch.float64)
    tokens[..., :4] = tokens[:, :1, :4] * scale
    return memory, tokens


@pytest.mark.parametrize("scale", SCALES)
def test_writing_a_key_again_replaces_its_value(scale: float):
    memory, tokens = _single_key_memory(scale)
    old, new = tokens[:, :1], tokens[:, 1:]
    A, z = torch.zeros(1, 24, 8).double(), torch.zeros(1, 24).double()
    A, z = memory.write(old, A, z, torch.tensor([True]))
    A, z = memory.write(new, A, z, torch.tensor([False]))
    probe = new.clone()
    probe[..., 4:] = 0
    got = (memory.read(probe, A, z) - probe)[0, 0, 4:]
    # With k the key's features, d = |k|^2 + eps, and gamma = 0 at the second write:
    # A = k (v_new + (1 - |k|^2 / d) v_old), z = k, so the error is eps / d of each value.
    squared = float((dpfp(probe @ memory.key[0].T) ** 2).sum().detach())
    share, error = squared / (squared + EPS), EPS / (squared + EPS)
    expected = share * (new + error * old)[0, 0, 4:]
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-12)
    assert (
        float((got - new[0, 0, 4:]).abs().max().detach())
        <= 2 * error * float(tokens.abs().max()) + 1e-12
    )
    if scale == 1.0:
        torch.testing.assert_close(got, new[0, 0, 4:], rtol=1e-4, atol=1e-4)


def test_z_does_not_grow_when_a_key_is_written_again():
    memory, tokens = _single_key_memory(1.0)
    A, z = torch.zeros(1, 24, 8).double(), torch.zeros(1, 24).double()
    A, z1 = memory.write(tokens[:, :1], A, z, torch.tensor([True]))
    _, z2 = memory.write(tokens[:, 1:], A, z1, torch.tensor([False]))
    torch.testing.assert_close(z2, z1)


@pytest.mark.parametrize("scale", SCALES)
def test_tokens_in_order_are_written_like_segments_of_one_token_each(scale: float):
    """The reference of the triangular system: a loop over `write` with M = 1."""
    torch.manual_seed(0)
    B, M, D = 2, 4, 6
    memory = OneLayer(D, 4, "armt-exact").double()
    tokens = scale * torch.randn(3, B, M, D, dtype=torch.float64)
    tokens[1, :, 2] = tokens[1, :, 1]  # one fact that two tokens see
    found = []
    for step in (M, 1):
        given = tokens.clone().requires_grad_()
        A, z = torch.zeros(B, 24, D).double(), torch.zeros(B, 24).double()
        for s in range(3):
            for i in range(0, M, step):
                first = torch.tensor([s == i == 0] * B)
                A, z = memory.write(given[s, :, i : i + step], A, z, first)
        got = memory.read(scale * torch.ones(B, 1, D).double(), A, z)
        wanted = [given, *memory.parameters()]
        found.append([A, z, got, *torch.autograd.grad((got**2).sum(), wanted)])
    for ours, theirs in zip(*found, strict=True):
        size = float(theirs.detach().abs().max())
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11 * size)


def _with_beta(logit: float) -> OneLayer:
    """Written exactly, every token with one beta; a key can be read with a query of the token."""
    memory = OneLayer(6, 4, "armt-exact").double()
    with torch.no_grad():
        memory.query.copy_(memory.key)
        memory.beta_weight.zero_()
        memory.beta_bias.fill_(logit)
    return memory


def _crowded_state() -> tuple[Tensor, Tensor]:
    """A memory in which much overlaps with every key: z . k is a multiple of |k|^2."""
    return torch.randn(1, 24, 6).double(), 3 * torch.rand(1, 24).double()


def test_what_is_written_exactly_with_beta_one_is_what_is_read_whatever_else_is_there():
    torch.manual_seed(0)
    memory, state = _with_beta(60.0), _crowded_state()
    tokens = torch.randn(1, 5, 6, dtype=torch.float64)
    A, z = memory.write(tokens, *state, torch.tensor([False]))
    got = memory.read(tokens[:, -1:], A, z) - tokens[:, -1:]
    expected = tokens[:, -1:] @ memory.value[0].T
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    # The paper's write is held back by what overlaps.
    plain = OneLayer(6, 4).double()
    plain.load_state_dict(memory.state_dict())
    A, z = plain.write(tokens, *state, torch.tensor([False]))
    off = (plain.read(tokens[:, -1:], A, z) - tokens[:, -1:] - expected).norm()
    assert float((off / expected.norm()).detach()) > 0.1


def test_what_is_written_exactly_with_beta_zero_changes_nothing_not_even_z():
    torch.manual_seed(0)
    memory, (A, z) = _with_beta(-800.0), _crowded_state()
    tokens = torch.randn(1, 5, 6, dtype=torch.float64)
    for first, state in ((False, (A, z)), (True, (torch.zeros_like(A), torch.zeros_like(z)))):
        after = memory.write(tokens, *state, torch.tensor([first]))
        assert torch.equal(after[0], state[0]) and torch.equal(after[1], state[1])


def test_a_key_written_exactly_again_and_again_holds_the_moving_average_of_its_values():
    """With PRIOR of nothing in it, which beside 1 - (1 - beta)^n of what was written is little."""
    torch.manual_seed(0)
    A, z = torch.zeros(1, 24, 8).double(), torch.zeros(1, 24).double()
    _, tokens = _single_key_memory(1.0)
    exact = OneLayer(8, 4, "armt-exact").double()
    exact.load_state_dict(_single_key_memory(1.0)[0].state_dict())
    with torch.no_grad():
        exact.beta_bias.fill_(0.0)  # one half
    key, values = tokens[:, :1, :4], torch.randn(3, 4).double()
    for number, value in enumerate(values):
        token = torch.cat([key, value.view(1, 1, 4)], dim=-1)
        A, z = exact.write(token, A, z, torch.tensor([number == 0]))
    probe = torch.cat([key, torch.zeros_like(key)], dim=-1)
    got = (exact.read(probe, A, z) - probe)[0, 0, 4:]
    average = (values[0] / 8 + values[1] / 4 + values[2] / 2) * (1 + PRIOR)
    expected = average / (1 - 1 / 8 + PRIOR)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_the_last_of_several_values_of_a_key_is_all_that_is_read_if_written_exactly():
    """Written at once, an old value that two tokens saw outlives a new one that one token saw."""
    at_once, _ = _single_key_memory(1.0)
    exact = OneLayer(8, 4, "armt-exact").double()
    exact.load_state_dict(at_once.state_dict())
    old, new = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 1.0, 0, 0])
    key = torch.tensor([1.0, -0.5, 2.0, 1.0])
    twice, once = (
        torch.stack([torch.cat([key, value])] * n)[None].double()
        for value, n in ((old, 2), (new, 1))
    )
    probe = torch.cat([key, torch.zeros(4)])[None, None].double()
    read_again = {}
    for memory in (at_once, exact):
        A, z = torch.zeros(1, 24, 8).double(), torch.zeros(1, 24).double()
        A, z = memory.write(twice, A, z, torch.tensor([True]))
        A, z = memory.write(once, A, z, torch.tensor([False]))
        got = (memory.read(probe, A, z) - probe)[0, 0, 4:6]
        read_again[memory.system] = got.tolist()
    assert read_again["armt"] == pytest.approx([0.5, 0.5], abs=1e-4)
    assert read_again["armt-exact"] == pytest.approx([0.0, 1.0], abs=1e-4)


def test_an_empty_memory_reads_exactly_nothing():
    memory = OneLayer(6, 4)
    x = torch.randn(2, 5, 6)
    assert torch.equal(memory.read(x, torch.zeros(2, 24, 6), torch.zeros(2, 24)), x)


def test_writes_stay_in_float32_under_bfloat16_autocast_and_for_bfloat16_tokens():
    torch.manual_seed(0)
    memory = OneLayer(16, 4)
    tokens = torch.randn(1, 3, 16)
    state = torch.randn(1, 24, 16), torch.rand(1, 24) * 300, torch.tensor([False])
    expected = memory.write(tokens, *state)
    with torch.autocast("cpu", torch.bfloat16):
        got = memory.write(tokens, *state)
    assert got[0].dtype == torch.float32
    assert torch.equal(got[0], expected[0]) and torch.equal(got[1], expected[1])


def test_a_16_bit_read_is_within_two_percent():
    torch.manual_seed(0)
    memory = OneLayer(32, 8)
    A, z = torch.zeros(1, 48, 32), torch.zeros(1, 48)
    A, z = memory.write(torch.randn(1, 4, 32), A, z, torch.tensor([True]))
    x = torch.randn(1, 9, 32)
    exact = memory.read(x, A, z) - x
    half = memory.read(x.bfloat16(), A, z).float() - x.bfloat16().float()
    assert float((half - exact).norm() / (exact + x).norm()) < 0.02
