"""The schedules side by side: what is timed, and what the even-load limit is made of."""

import pytest
import torch

from armt_core import timing
from benchmarks import diagonal


def test_times_are_medians_of_calls_that_take_turns(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])

    def call(name: str, seconds: list[float]):
        def do() -> None:
            calls.append(name)
            clock[0] += seconds.pop(0)

        return do

    # The first of each, which is not counted, is the longest.
    found = timing.interleaved(
        [call("a", [99.0, 1.0, 5.0, 2.0]), call("b", [99.0, 3.0, 3.0, 4.0])], runs=3
    )
    assert found == [2.0, 3.0] and calls == ["a", "b"] * 4


@pytest.mark.parametrize("backward", [False, True])
def test_all_four_read_the_same_tokens_and_the_limit_is_what_more_segments_take(
    monkeypatch, backward
):
    given: list[torch.Tensor] = []
    for name in ("read_sequential", "read_diagonal"):
        real = getattr(diagonal, name)
        monkeypatch.setattr(
            diagonal, name, lambda model, ids, real=real: (given.append(ids), real(model, ids))[1]
        )

    def seconds(what, runs):
        for call in what:
            call()
        return [8.0, 4.0, 7.0, 2.0]

    monkeypatch.setattr(diagonal, "interleaved", seconds)
    row = diagonal.measured(diagonal.small(2, 32, 4), 3, torch.float32, 1, backward)
    assert [ids.shape for ids in given] == [(1, 3, 4), (1, 3, 4), (1, 6, 4)]
    assert torch.equal(given[0], given[2][:, :3])
    assert row["sequential_seconds"] == 8.0 and row["even_load_seconds"] == 3.0
    assert row["chosen"] in ("sequential", "diagonal")
    assert diagonal._cells({**row, "chosen": "diagonal"})[2:] == [
        "8.000 s",
        "4.000 s (2.00)",
        "3.000 s (2.67)",
        "",
        "2.000 s (4.00)",
        "diagonal",
    ]
    assert diagonal._cells({**row, "cuda_graph_seconds": 2.5})[5] == "2.500 s (3.20)"


def test_the_large_shape_has_the_weights_of_its_name_and_reads_131072_tokens():
    shape = diagonal.ONE_BILLION
    heads, of_keys = shape.heads
    attention = shape.width**2 * 2 * (1 + of_keys / heads)
    weights = shape.layers * (attention + 3 * shape.width * shape.inner)
    assert weights + shape.vocabulary * shape.width == pytest.approx(1.24e9, rel=0.01)
    assert shape.segment_tokens * diagonal.ONE_BILLION_SEGMENTS == 131_072


def test_the_command_prints_a_row_a_shape_and_writes_those_of_the_default(monkeypatch, capsys):
    written = []
    monkeypatch.setattr(diagonal, "write_result", lambda *given: written.append(given))
    line = "--layers 1 2 --segment-tokens 4 --segments 2 --width 32 --runs 1"
    assert diagonal.main(line.split()) == 0
    out = capsys.readouterr().out
    assert "even load" in out and len([n for n in out.splitlines() if n.startswith("| ")]) == 4
    assert not written
    monkeypatch.setattr(diagonal, "measured", lambda shape, *given: {"layers": shape.layers})
    monkeypatch.setattr(diagonal, "_cells", lambda row: [""] * 8)
    assert diagonal.main([]) == 0
    ((name, values),) = written
    assert name == "diagonal" and {row["layers"] for row in values["rows"]} == {2, 4, 8, 16}
