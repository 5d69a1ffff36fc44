"""Tokens a second of reading, against the plain backbone over the same segments.

    python -m benchmarks.read_speed

The segments are the passages of the longest example document, each at its own length.
Everything in one process, taken in turn, each the median of several runs: reading into
memory (tokens in, vector and memory out); the backbone alone one segment at a time, as
`transformers` has it, and once more with weights laid out beforehand, as reading uses
them; the backbone alone at its best batch size (padded); and the rate of a plain matrix
product, which bounds them all.

Axes: B segments of a batch, T tokens.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from armt_core.document_model import DocumentModel, Segment
from armt_core.model import ArmtModel
from armt_core.padding import pad_segments
from armt_core.pooling import mean_pool
from armt_core.timing import interleaved
from benchmarks.results import ROOT, print_table, run, write_result
from ingest.cleaning import clean_document
from ingest.parse import parse_file
from ingest.passages import split_passages
from ingest.sentences import sentence_spans
from ingest.settings import DEFAULT_MODEL, open_reader
from training.stamp import machine

DOCUMENT = ROOT / "examples" / "corpus" / "ellermouth-handbook.pdf"
BATCHES = (1, 2, 4, 8, 16, 32)


def main(arguments: list[str] | None = None) -> int:
    """1 if reading falls short of the share of the plain backbone given by --least."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.read_speed")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="what to read")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--least", type=float, default=0.75, help="share of the plain speed")
    options = parser.parse_args(arguments)

    reader = open_reader()
    document = parse_file(options.document)
    cleaned = clean_document(document)
    passages = split_passages(document, cleaned, reader.tokenizer, reader.text_tokens)
    whole = [reader.segment(p.text, sentence_spans(p.text)) for p in passages]
    segments = [segment.ids for segment in whole]
    tokens = sum(ids.shape[1] for ids in segments)

    dtype = reader.model.backbone.dtype
    stock = ArmtModel.from_pretrained(DEFAULT_MODEL, dtype=dtype).to(reader.model.device).eval()
    bert, packed = stock.backbone.bert, reader.model.backbone.bert
    # Taken in turn, so that a slow moment of the machine falls on all.
    times = interleaved(
        [
            partial(_plain, bert, segments, 1),
            partial(_plain, packed, segments, 1),
            partial(_read, reader, whole),
        ],
        options.runs,
    )
    plain, laid_out, read = (tokens / seconds for seconds in times)
    batches = {
        size: tokens / interleaved([partial(_plain, bert, segments, size)], 3)[0]
        for size in BATCHES
    }
    best = max(batches, key=lambda b: batches[b])
    rate = _matrix_rate(dtype, reader.model.device)

    rows = [
        ["reading into memory", f"{read:,.0f}", f"{read / plain:.0%}"],
        ["plain backbone, one segment at a time", f"{plain:,.0f}", "100%"],
        [
            "the same, weights laid out beforehand",
            f"{laid_out:,.0f}",
            f"{laid_out / plain:.0%}",
        ],
        [
            f"plain backbone, batches of {best}",
            f"{batches[best]:,.0f}",
            f"{batches[best] / plain:.0%}",
        ],
    ]
    print(f"{machine()}; {reader.conditions}")
    print(f"{options.document.name}: {len(segments)} segments, {tokens:,} tokens")
    print_table(["what", "tokens/s", "of plain"], rows)
    print(f"matrix product, {dtype}: {rate / 1e9:,.0f} GFLOP/s")
    write_result(
        "read_speed",
        {
            "conditions": reader.conditions,
            "document": options.document.name,
            "segments": len(segments),
            "tokens": tokens,
            "reading_tokens_per_second": round(read),
            "plain_tokens_per_second": round(plain),
            "plain_laid_out_tokens_per_second": round(laid_out),
            "share": round(read / plain, 3),
            "share_of_laid_out": round(read / laid_out, 3),
            "best_batch": best,
            "plain_best_batch_tokens_per_second": round(batches[best]),
            "matrix_gflop_per_second": round(rate / 1e9),
        },
    )
    if read / plain < options.least:
        print(f"reading is slower than {options.least:.0%} of the plain backbone", file=sys.stderr)
        return 1
    return 0


@torch.inference_mode()
def _plain(bert: PreTrainedModel, segments: list[Tensor], batch: int) -> None:
    """The transformers model itself, as an embedding service would run it."""
    if batch == 1:
        for ids in segments:
            mean_pool(bert(input_ids=ids).last_hidden_state)
        return
    by_length = sorted(segments, key=lambda ids: ids.shape[1])
    for first in range(0, len(segments), batch):
        rows = [[ids[0].tolist()] for ids in by_length[first : first + batch]]
        ids, mask = (t[:, 0].to(bert.device) for t in pad_segments(rows))  # (B, T)
        mean_pool(bert(input_ids=ids, attention_mask=mask).last_hidden_state, mask)


def _read(reader: DocumentModel, segments: list[Segment]) -> None:
    memory = reader.model.empty_memory()
    for segment in segments:
        _, memory = reader.read_segments([segment], memory)


def _matrix_rate(dtype: torch.dtype, device: torch.device, n: int = 2048) -> float:
    """Floating-point operations a second of an n x n product."""
    a = torch.randn(n, n, device=device).to(dtype)
    seconds = interleaved([lambda: torch.matmul(a, a)], 9)[0]
    return 2 * n**3 / seconds


if __name__ == "__main__":
    run(main)
