"""One row of `benchmarks.systems`: a program that reads one document with one system, and ends.

A small model (`training/small.py`) with random weights reads random tokens in segments of 512, one
document, without gradients. What it measured goes to standard output as JSON.
"""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import psutil
import torch

from armt_core.batched import BatchedMemory
from armt_core.config import System
from armt_core.systems import SystemModel
from training.small import small_model

SEGMENT, VOCABULARY = 512, 256
#: Segments that are read before the clock starts.
_WARM = 2
#: Where Linux says the peak of this program, and lets it begin anew.
_PEAK = Path("/proc/self/status")


@torch.inference_mode()
def read(system: System, tokens: int, minutes: float, gigabytes: float) -> dict[str, Any]:
    """Reads so many tokens, in whole segments. One that reaches a limit gives what "ended" it in
    the place of its figures."""
    torch.manual_seed(0)
    model = small_model(system, VOCABULARY, SEGMENT).eval()
    if torch.cuda.is_available():
        model.to("cuda")
    found: dict[str, Any] = {"system": system, "tokens": tokens}
    before = begin_megabytes()
    warm: BatchedMemory | None = None
    for _ in range(_WARM):
        warm = _next(model, warm)
    del warm
    memory: BatchedMemory | None = None
    started, worked = time.perf_counter(), time.process_time()
    for segment in range(tokens // SEGMENT):
        try:
            memory = _next(model, memory)
        except torch.OutOfMemoryError:
            return {**found, "ended": f"the GPU's memory was full at {segment * SEGMENT:,} tokens"}
        seconds, peak = time.perf_counter() - started, peak_megabytes()
        if seconds > 60 * minutes:
            return {**found, "ended": f"{minutes:g} minutes at {(segment + 1) * SEGMENT:,} tokens"}
        if peak > 1000 * gigabytes:
            return {**found, "ended": f"{gigabytes:g} GB at {(segment + 1) * SEGMENT:,} tokens"}
    assert memory is not None
    return {
        **found,
        "tokens_per_second": round(tokens / seconds, 1),
        # Of the processor: what a machine that does other things beside this does not change much.
        "tokens_per_processor_second": round(tokens / (time.process_time() - worked), 1),
        "peak_megabytes": round(peak, 1),
        # Most of a small model's program is torch itself: this is what reading adds to it.
        "reading_megabytes": round(peak - before, 1),
        "state_kilobytes": round(4 * memory.numbers / 1000, 1),  # all of it is float32
    }


def _next(model: SystemModel, memory: BatchedMemory | None) -> BatchedMemory:
    """The memory after another segment of random tokens."""
    ids = torch.randint(VOCABULARY, (1, SEGMENT), device=model.device)
    memory = model.run(ids, None, memory, write=True)[1]
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return memory


def begin_megabytes() -> float:
    """The memory that this program has now; its peak begins here anew, where the system can do
    that (elsewhere a higher one from before still counts)."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 1e6
    if _PEAK.is_file():
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return psutil.Process().memory_info().rss / 1e6


def peak_megabytes() -> float:
    """The most memory that this program had at once: on the GPU where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    if _PEAK.is_file():  # Not ru_maxrss: it begins with that of the program that started this one.
        line = next(n for n in _PEAK.read_text().splitlines() if n.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    info = psutil.Process().memory_info()
    return getattr(info, "peak_wset", info.rss) / 1e6


if __name__ == "__main__":
    name, tokens, minutes, gigabytes = sys.argv[1:]
    print(json.dumps(read(cast(System, name), int(tokens), float(minutes), float(gigabytes))))
