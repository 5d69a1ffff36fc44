"""Reading along the diagonal against reading in sequence, over layers and lengths of segments.

    python -m benchmarks.diagonal                 # small shapes
    python -m benchmarks.diagonal --backward      # with the way back
    python -m benchmarks.diagonal --one-billion   # 131,072 tokens, for a GPU

An ARMT over a Llama with random weights reads one document of random tokens. Beside the two
schedules stand the even-load limit, which is what the diagonal would take if every layer had a
segment at every step (what 2 S segments take less what S take: the steps at both ends, in which
few have one, fall out), the reading in sequence as a CUDA graph (on a GPU, without a way back),
and the backbone alone over the whole row with full attention. The shapes that are measured by
default go to benchmarks/results/diagonal.json; others are printed alone.

Axes: B documents, S segments, T tokens of a segment.
"""

import argparse
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel
from transformers import LlamaConfig

from armt_core import ArmtConfig, ArmtModel, read_diagonal, read_sequential
from armt_core.reading import Reading
from armt_core.schedule import seconds
from armt_core.timing import interleaved
from benchmarks.graph import SegmentInPlace
from benchmarks.results import print_table, run, write_result
from training.attention import with_gradients
from training.stamp import machine


@dataclass(frozen=True)
class Shape:
    """A Llama with a memory. heads: of queries, and of keys and values. inner: of its MLP."""

    layers: int
    width: int
    heads: tuple[int, int]
    inner: int
    vocabulary: int
    memory_tokens: int
    segment_tokens: int

    def model(self, dtype: torch.dtype) -> ArmtModel:
        """With random weights, on the GPU where there is one."""
        backbone = LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads[0],
            num_key_value_heads=self.heads[1],
            tie_word_embeddings=True,
        )
        config = ArmtConfig(
            backbone=backbone,
            num_memory_tokens=self.memory_tokens,
            memory_dim=64,
            segment_tokens=self.segment_tokens,
        )
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with device:
            model = ArmtModel(config)
        model.backbone.to(dtype)
        return model.eval()


#: The shape of Llama 3.2 1B.
ONE_BILLION = Shape(16, 2048, (32, 8), 8192, 128_256, 128, 1024)
ONE_BILLION_SEGMENTS = 128


def small(layers: int, width: int, segment_tokens: int) -> Shape:
    """Heads of width 32, 8 memory tokens."""
    heads = width // 32
    return Shape(layers, width, (heads, heads), 8 * width // 3, 1000, 8, segment_tokens)


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagonal")
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 4, 8, 16], metavar="L")
    parser.add_argument("--segment-tokens", type=int, nargs="+", default=[8, 32, 128], metavar="T")
    parser.add_argument("--segments", type=int, default=16, metavar="S")
    parser.add_argument("--width", type=int, default=128, metavar="D")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--backward", action="store_true", help="with the gradients of all weights")
    parser.add_argument(
        "--one-billion", action="store_true", help="the shape of Llama 3.2 1B alone, in bfloat16"
    )
    options = parser.parse_args(arguments)

    if options.one_billion:
        shapes, segments, dtype = [ONE_BILLION], ONE_BILLION_SEGMENTS, torch.bfloat16
    else:
        lengths, segments, dtype = options.segment_tokens, options.segments, torch.float32
        shapes = [small(n, options.width, tokens) for n in options.layers for tokens in lengths]
    rows = []
    for shape in shapes:
        rows.append(measured(shape, segments, dtype, options.runs, options.backward))
        print(rows[-1], file=sys.stderr)
    print(f"{machine()}; {segments} segments, {dtype}{', with gradients' * options.backward}")
    print_table(
        [
            "layers",
            "tokens of a segment",
            "sequential",
            "diagonal",
            "even load",
            "CUDA graph",
            "full attention",
            "chosen",
        ],
        [_cells(row) for row in rows],
    )
    shown = ("layers", "segment_tokens", "segments", "width")
    if any(getattr(options, name) != parser.get_default(name) for name in shown):
        return 0
    name = "diagonal" + "_one_billion" * options.one_billion + "_backward" * options.backward
    settings = {"dtype": str(dtype), "backward": options.backward, "runs": options.runs}
    write_result(name, {**settings, "rows": rows})
    return 0


def measured(
    shape: Shape, segments: int, dtype: torch.dtype, runs: int, backward: bool
) -> dict[str, Any]:
    """Seconds of each schedule for so many segments, medians of so many runs taken in turn."""
    torch.manual_seed(0)
    model = shape.model(dtype)
    size = (1, 2 * segments, shape.segment_tokens)
    ids = torch.randint(shape.vocabulary, size, device=model.device)
    half = ids[:, :segments]

    def whole() -> Tensor:
        row = half.flatten(1)
        return model.backbone.model(input_ids=row, use_cache=False).last_hidden_state

    def timed(read: Callable[[], Reading | Tensor]) -> Callable[[], None]:
        def call() -> None:
            with torch.set_grad_enabled(backward), _kernels(model, backward):
                found = read()
                if backward:
                    hidden = found if isinstance(found, Tensor) else found.hidden
                    hidden.float().square().sum().backward()
                    model.zero_grad()

        return call

    ways: dict[str, Callable[[], Reading | Tensor]] = {
        "sequential": lambda: read_sequential(model, half),
        "diagonal": lambda: read_diagonal(model, half),
        "twice": lambda: read_diagonal(model, ids),
        "full_attention": whole,
    }
    if model.device.type == "cuda" and not backward:
        graph = SegmentInPlace(model, 1, shape.segment_tokens).capture()
        ways["cuda_graph"] = lambda: graph.read(half)
    took = dict(zip(ways, interleaved([timed(way) for way in ways.values()], runs), strict=True))
    took["even_load"] = took.pop("twice") - took["diagonal"]
    return {
        "layers": shape.layers,
        "width": shape.width,
        "segment_tokens": shape.segment_tokens,
        "segments": segments,
        **{f"{way}_seconds": round(time, 4) for way, time in took.items()},
        "chosen": _chosen(model, half, backward),
    }


def _chosen(model: ArmtModel, ids: Tensor, backward: bool) -> str:
    """The way that `read_faster` takes."""
    with torch.set_grad_enabled(backward), _kernels(model, backward):
        return "diagonal" if seconds(model, *ids.shape).diagonal_is_faster else "sequential"


def _kernels(model: ArmtModel, backward: bool) -> Any:
    """Those of training where there is a way back."""
    return sdpa_kernel(with_gradients(model.device)) if backward else nullcontext()


def _cells(row: dict[str, Any]) -> list[str]:
    """Seconds, and how many times as fast as in sequence."""
    sequential = row["sequential_seconds"]
    cells = [str(row["layers"]), str(row["segment_tokens"]), f"{sequential:.3f} s"]
    for way in ("diagonal", "even_load", "cuda_graph", "full_attention"):
        took = row.get(f"{way}_seconds")  # no graph without a GPU, or with a way back
        cells.append("" if took is None else f"{took:.3f} s ({sequential / took:.2f})")
    return [*cells, row["chosen"]]


if __name__ == "__main__":
    run(main)
