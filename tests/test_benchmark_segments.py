"""The table and the picture of time series and of language, by the segment."""

import json

from benchmarks import segments


def test_each_training_has_its_means_over_segments_and_its_line(tmp_path, monkeypatch, capsys):
    drawn = []
    monkeypatch.setattr(segments, "draw", lambda name, panels: drawn.append((name, panels)))
    setting = {"segments": 2, "seed": 0, "steps": 600}
    series = [8.0, 2.0, 3.0, 5.0, 1.0, 1.0, 1.0, 5.0, *[7.0] * 8]
    told = {"task": "series", "system": "rmt", "error_by_segment": series}
    emptied = {"error_by_segment_emptied": [0.0, 9.0, *[0.0] * 14]}
    (tmp_path / "series-rmt.json").write_text(json.dumps(setting | told | emptied))
    lm = [2.0, 1.5, 1.25, 1.75, 1.0, 1.0, 1.0, 1.0]
    told = {"task": "lm", "system": "armt", "strategy": "plain", "loss_by_segment": lm}
    emptied = {"loss_by_segment_emptied": [0.0, 2.0, *[0.0] * 6]}
    (tmp_path / "lm-armt-plain.json").write_text(json.dumps(setting | told | emptied))
    assert segments.main([], tmp_path) == 0
    ((name, (language, values)),) = drawn
    assert name == "segments" and language.title == "lm, up to 2 segments"
    assert language.lines == {"armt, plain, seed 0, 600 steps": ([*range(1, 9)], lm)}
    assert values.lines == {"rmt, seed 0, 600 steps": ([*range(1, 17)], series)}
    assert values.marks == [2]
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()]
    assert [[cell.strip() for cell in row][3:] for row in rows[2:]] == [
        ["2.000", "1.500", "2.000", "1.500", "1.000", ""],
        ["8.000", "2.000", "9.000", "4.000", "2.000", "7.000"],
    ]
