"""The table and the picture of time series and of language, by the segment."""

from benchmarks import segments
from tests.published import published


def test_each_training_has_its_means_over_segments_and_its_line(tmp_path, monkeypatch):
    setting = {"segments": 2, "seed": 0, "steps": 600}
    series = [8.0, 2.0, 3.0, 5.0, 1.0, 1.0, 1.0, 5.0, *[7.0] * 8]
    rmt = {"task": "series", "system": "rmt", "error_by_segment": series}
    rmt |= {"error_by_segment_emptied": [0.0, 9.0, *[0.0] * 14]}
    lm = [2.0, 1.5, 1.25, 1.75, 1.0, 1.0, 1.0, 1.0]
    armt = {"task": "lm", "system": "armt", "strategy": "plain", "loss_by_segment": lm}
    armt |= {"processor_minutes": 11.2}
    armt |= {"loss_by_segment_emptied": [0.0, 2.0, *[0.0] * 6]}
    results = {"series-rmt": setting | rmt, "lm-armt-plain": setting | armt}
    tables, (language, values) = published(segments, results, tmp_path, monkeypatch)
    assert language.title == "lm, up to 2 segments"
    assert language.lines == {"armt, plain, seed 0, 600 steps": ([*range(1, 9)], lm)}
    assert values.lines == {"rmt, seed 0, 600 steps": ([*range(1, 17)], series)}
    assert values.marks == [2]
    beyond = ["to 2x", "to 4x", "to 8x"]
    header = ["trained on", "system", "first", "trained", "emptied", *beyond, "minutes"]
    assert tables == {
        "lm": (header, [
            ["2 segments", "armt, plain, seed 0, 600 steps",
             "2.000", "1.500", "2.000", "1.500", "1.000", "", "11"],
        ]),
        "series": (header, [
            ["2 segments", "rmt, seed 0, 600 steps",
             "8.000", "2.000", "9.000", "4.000", "2.000", "7.000", ""],
        ]),
    }  # fmt: skip
