"""Speed and memory against length: what a row says, and that a limit is said to be reached."""

import json

import pytest

from benchmarks import systems, systems_row
from benchmarks.plots import draw
from training.small import small_model


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr(systems_row, "SEGMENT", 16)


def test_a_row_says_what_reading_took_and_how_large_the_state_is():
    found = {n: systems_row.read("armt", n, 1.0, 100.0) for n in (32, 128)}
    numbers = small_model("armt", 256, 16).empty_memory().numbers
    for n, row in found.items():
        assert (row["system"], row["tokens"]) == ("armt", n) and row["tokens_per_second"] > 0
        assert row["state_kilobytes"] == round(4 * numbers / 1000, 1)
        assert 50 < row["peak_megabytes"] < 20_000
        assert 0 <= row["reading_megabytes"] < row["peak_megabytes"]
    grown = [systems_row.read("full-attention", n, 1.0, 100.0) for n in (32, 128)]
    assert grown[1]["state_kilobytes"] == pytest.approx(4 * grown[0]["state_kilobytes"], rel=0.01)


def test_memory_that_was_there_before_reading_is_not_counted_as_its_own():
    once = bytearray(400_000_000)
    del once
    small = systems_row.read("armt", 32, 1.0, 100.0)
    assert small["reading_megabytes"] < 200


def test_of_a_system_that_stopped_longer_documents_are_not_read(monkeypatch, capsys):
    read = []

    def row(system: str, length: int, *limits: float) -> dict[str, object]:
        read.append((system, length))
        return {"system": system, "tokens": length, "ended": f"10 minutes at {length - 512:,}"}

    monkeypatch.setattr(systems, "row", row)
    assert systems.main("--lengths 2048 1024 --systems rmt".split()) == 0
    assert read == [("rmt", 1024)]
    out = capsys.readouterr().out
    assert "ended: 10 minutes at 512" in out and "ended: not read, for it stopped at 1,024" in out


def test_a_row_that_reaches_a_limit_says_which_and_where():
    assert systems_row.read("rmt", 64, 0.0, 100.0)["ended"] == "0 minutes at 16 tokens"
    assert systems_row.read("rmt", 64, 1.0, 0.001)["ended"] == "0.001 GB at 16 tokens"


@pytest.mark.parametrize("length", ["0", "100", "1000"])
def test_a_length_that_is_no_whole_number_of_segments_is_refused(length, capsys):
    with pytest.raises(SystemExit):
        systems.main(["--lengths", "512", length])
    assert f"{length} is no multiple" in capsys.readouterr().err


def test_each_row_is_a_program_of_its_own(monkeypatch, tmp_path, capsys):
    row = systems.row("prmt", 512, 1.0, 100.0)
    assert row["system"] == "prmt" and row["tokens"] == 512 and "ended" not in row
    assert 0 < row["reading_megabytes"] < 0.5 * row["peak_megabytes"]
    grown = [systems.row("full-attention", n, 1.0, 100.0) for n in (512, 4096)]
    assert grown[0]["reading_megabytes"] + 10 < grown[1]["reading_megabytes"]
    ended = {"system": "mamba", "tokens": 512, "ended": "1 GB at 512 tokens"}
    monkeypatch.setattr(systems, "row", lambda s, *_: ended if s == "mamba" else row)
    drawn, written = [], []
    monkeypatch.setattr(systems, "draw", lambda name, panels: drawn.append(panels))
    monkeypatch.setattr(systems, "write_result", lambda name, values: written.append(values))
    assert systems.main("--lengths 512 --systems prmt mamba --gigabytes 1".split()) == 0
    assert not drawn and not written  # some systems and lengths are not what is committed
    out, err = capsys.readouterr()
    assert "ended: 1 GB at 512 tokens" in out
    assert [json.loads(line) for line in err.splitlines()] == [row, ended]
    monkeypatch.setattr(systems, "LENGTHS", (512,))
    monkeypatch.setattr(systems, "SYSTEMS", ("prmt", "mamba"))
    assert systems.main("--lengths 512 --systems prmt mamba --gigabytes 1".split()) == 0
    assert written[0]["rows"] == [row, ended] and written[0]["gigabytes"] == 1
    assert [list(panel.lines) for panel in drawn[0]] == [["prmt"]] * 3
    assert draw("systems", drawn[0], tmp_path).is_file()
