"""What gamma does: how often z counts a key, and how exactly a value is read again.

    python -m benchmarks.gamma

On random keys that are written again and again, and on the memory tokens of the model that ships
while it reads a document three times over; each with the write of the paper, the exact one, without
gamma, and without the delta rule. Writes benchmarks/results/gamma.json and the figures of
docs/gamma.md.

Axes: L layers, R rounds of writes, N keys, M memory tokens, K key features, D width.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from armt_core.associative import AssociativeMemory, Write, floor
from armt_core.config import System
from armt_core.document_model import DocumentModel
from benchmarks.plots import Panel, draw
from benchmarks.results import ROOT, print_table, run, write_result
from ingest.cleaning import clean_document
from ingest.parse import parse_file
from ingest.passages import split_passages
from ingest.settings import open_reader

DOCUMENT = ROOT / "examples" / "corpus" / "ellermouth-handbook.pdf"
WRITES: tuple[System, ...] = ("armt", "armt-exact", "armt-without-gamma", "armt-without-delta")
#: Of the random keys: d_mem and numbers in a value; how many there are together; how often each is
#: written; seeds.
MEMORY_DIM, VALUE, KEYS, ROUNDS, SEEDS = 64, 64, 32, 32, 5
#: beta = 1.
BETA_BIAS = 100.0
#: How often the document is read.
TIMES = 3


@dataclass(frozen=True)
class Followed:
    """After each round of writes, in each layer, means over keys k = phi(W_k m): (R, L) both.

    counted: how often z counts a key, z . k / |k|^2. error: of a value that is read again, as a
    share of the length of what should be there.
    """

    counted: Tensor
    error: Tensor


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, draws."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gamma")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="what the model reads")
    options = parser.parse_args(arguments)

    one, many = ({s: over_seeds(s, keys) for s in WRITES} for keys in (1, KEYS))
    reader = open_reader()
    tokens = memory_tokens(reader, options.document, TIMES)
    model = {s: in_a_model(s, reader.model.associative, tokens) for s in WRITES}

    measured = {"one key": one, f"{KEYS} keys": many, "the model that ships": model}
    rows = [
        [what, system, *(f"{value:,.3g}" for value in _first_and_last(followed))]
        for what, systems in measured.items()
        for system, followed in systems.items()
    ]
    header = ["keys", "write", "counted, first", "last", "error, first", "last"]
    print_table(header, rows)
    print(f"{options.document.name}: {len(tokens) // TIMES} segments, read {TIMES} times")
    write_result(
        "gamma",
        {
            "memory_dim": MEMORY_DIM,
            "rounds": ROUNDS,
            "seeds": SEEDS,
            "document": options.document.name,
            "segments": len(tokens) // TIMES,
            "times": TIMES,
            "measured": {
                what: {system: _described(followed) for system, followed in systems.items()}
                for what, systems in measured.items()
            },
        },
    )
    draw("gamma-random-keys", [*_panels("one key", one), *_panels(f"{KEYS} keys", many)])
    again = [len(tokens) // TIMES * time for time in range(1, TIMES)]
    draw("gamma-model", _panels("the model that ships", model, "segment", again))
    return 0


class Written:
    """A memory of all layers that is written, and looked at."""

    def __init__(self, projections: AssociativeMemory) -> None:
        self.projections = projections
        L, d_mem, D = projections.key.shape
        self.A, self.z = torch.zeros(L, 1, 6 * d_mem, D), torch.zeros(L, 1, 6 * d_mem)
        self.first = True

    def write(self, tokens: Tensor) -> Write:
        """Writes memory tokens (L, 1, M, D)."""
        first = torch.tensor([self.first])
        self.A, self.z, written = self.projections.write(tokens, self.A, self.z, first)
        self.first = False
        return written

    def counted(self, keys: Tensor) -> Tensor:
        """How often z counts keys (L, 1, N, K): (L, 1, N)."""
        return (keys @ self.z.unsqueeze(-1)).squeeze(-1) / keys.square().sum(-1)

    def read(self, keys: Tensor) -> Tensor:
        """The values under keys (L, 1, N, K): (L, 1, N, D)."""
        weight = keys @ self.z.unsqueeze(-1) + floor(keys, self.projections.system)
        return (keys @ self.A) / weight


@torch.inference_mode()
def random_keys(
    system: System, keys: int, seed: int, rounds: int = ROUNDS, beta_bias: float = BETA_BIAS
) -> Followed:
    """So many random keys, each written once in a round with a new random value and beta =
    sigmoid(beta_bias), one after the other in any order. What should be there is the last value."""
    drawn = torch.Generator().manual_seed(seed)
    width = MEMORY_DIM + VALUE
    # A token holds what makes its key, and behind it its value.
    projections = AssociativeMemory(1, width, MEMORY_DIM, system)
    projections.key.copy_(torch.eye(MEMORY_DIM, width))
    projections.value.copy_(torch.eye(width))
    projections.value[:, :, :MEMORY_DIM] = 0
    projections.beta_weight.zero_()
    projections.beta_bias.fill_(beta_bias)
    memory, found = Written(projections), []
    x = torch.randn(keys, MEMORY_DIM, generator=drawn)
    for _ in range(rounds):
        v = torch.randn(keys, VALUE, generator=drawn)
        of_key: dict[int, Tensor] = {}
        for key in torch.randperm(keys, generator=drawn).tolist():
            token = torch.cat([x[key], v[key]])
            of_key[key] = memory.write(token.view(1, 1, 1, width)).keys[:, :, 0]
        k = torch.stack([of_key[key] for key in range(keys)], dim=2)  # (1, 1, N, K)
        right = torch.cat([torch.zeros_like(x), v], dim=1)
        found.append((memory.counted(k).mean((1, 2)), _error(memory.read(k), right)))
    return Followed(*map(torch.stack, zip(*found, strict=True)))


def over_seeds(system: System, keys: int) -> Followed:
    """The mean of `random_keys` over seeds."""
    several = [random_keys(system, keys, seed) for seed in range(SEEDS)]
    return Followed(
        torch.stack([one.counted for one in several]).mean(0),
        torch.stack([one.error for one in several]).mean(0),
    )


@torch.inference_mode()
def memory_tokens(reader: DocumentModel, document: Path, times: int) -> list[Tensor]:
    """What the layers leave of each segment, (L, 1, M, D), while the model reads a document so
    many times, one after the other, into one memory."""
    parsed = parse_file(document)
    passages = split_passages(parsed, clean_document(parsed), reader.tokenizer, reader.text_tokens)
    memory, tokens = reader.model.empty_memory(), []
    for passage in passages * times:
        ids, mask = reader.whole_tiles([reader.token_ids(passage.text)])
        _, made, memory = reader.model.through(ids, mask, memory)
        tokens.append(made.float().cpu())
        memory, _ = reader.model.write(made, memory, mask.bool().any(-1))
    return tokens


@torch.inference_mode()
def in_a_model(system: System, trained: AssociativeMemory, tokens: Sequence[Tensor]) -> Followed:
    """The same memory tokens of a trained model, all written with beta = 1 in the way of a system:
    the model itself writes next to nothing of what is no fact. What should be there right after a
    segment is the new value."""
    L, d_mem, D = trained.key.shape
    projections = AssociativeMemory(L, D, d_mem, system)
    projections.load_state_dict(trained.state_dict())
    projections.beta_weight.zero_()
    projections.beta_bias.fill_(BETA_BIAS)
    memory, found = Written(projections), []
    for made in tokens:
        values = torch.einsum("lbmd,lvd->lbmv", made, projections.value)
        k = memory.write(made).keys
        found.append((memory.counted(k).mean((1, 2)), _error(memory.read(k), values)))
    return Followed(*map(torch.stack, zip(*found, strict=True)))


def _error(found: Tensor, right: Tensor) -> Tensor:
    """(L,), of values (L, 1, N, D)."""
    return ((found - right).norm(dim=-1) / right.norm(dim=-1)).mean((1, 2))


def _first_and_last(followed: Followed) -> list[float]:
    counted, error = followed.counted.mean(1), followed.error.mean(1)
    return [float(values[at]) for values in (counted, error) for at in (0, -1)]


def _described(followed: Followed) -> dict[str, Any]:
    """Means over layers after 1, 2, 4, ... rounds and the last; those of each layer after that."""
    R, found = len(followed.counted), dict[str, Any]()
    rounds = sorted({*(2**i for i in range(R.bit_length())), R})
    for name, values in (("counted", followed.counted), ("error", followed.error)):
        means = values.mean(1).tolist()
        found[name] = {str(at): round(means[at - 1], 4) for at in rounds}
        found[f"{name}_by_layer"] = [round(value, 4) for value in values[-1].tolist()]
    return found


def _panels(
    what: str,
    systems: Mapping[System, Followed],
    x: str = "writes of each key",
    marks: Sequence[float] = (),
) -> list[Panel]:
    lines: list[dict[str, tuple[Sequence[float], Sequence[float]]]] = [{}, {}]
    for system, followed in systems.items():
        at = range(1, len(followed.counted) + 1)
        for line, values in zip(lines, (followed.counted, followed.error), strict=True):
            line[system] = at, values.mean(1).tolist()
    counted = Panel(f"{what}: how often z counts a key", x, "z · k / |k|²", lines[0], log_y=True)
    error = Panel(f"{what}: error of a value read again", x, "share of its length", lines[1])
    return [
        Panel(**{**vars(panel), "marks": [mark + 0.5 for mark in marks]})
        for panel in (counted, error)
    ]


if __name__ == "__main__":
    run(main)
