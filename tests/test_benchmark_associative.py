"""The table and the picture of associative retrieval."""

import json

from benchmarks import associative


def test_each_task_has_its_panel_and_each_training_its_row_and_line(tmp_path, monkeypatch, capsys):
    drawn = []
    monkeypatch.setattr(associative, "draw", lambda name, panels: drawn.append((name, panels)))
    for number, (task, system, shares) in enumerate(
        [
            ("rewrite", "armt", {"10": 0.99, "50": 0.5}),
            ("remember", "armt", {"50": 0.25, "10": 1.0}),
            ("remember", "rmt", {"10": 0.125}),
        ]
    ):
        setting = {"told": task, "pairs": 10, "system": system, "seed": 3, "steps": 1500}
        result = json.dumps({**setting, "exact_match": shares})
        (tmp_path / f"associative-{number}.json").write_text(result)
    assert associative.main([], tmp_path) == 0
    ((name, (remember, rewrite)),) = drawn
    assert name == "associative"
    assert remember.title == "remember, up to 10 pairs" and remember.marks == [10]
    floors = [panel.lines.pop("no keys") for panel in (remember, rewrite)]
    assert remember.lines == {
        "armt, seed 3, 1,500 steps": ([10, 50], [100.0, 25.0]),
        "rmt, seed 3, 1,500 steps": ([10], [12.5]),
    }
    assert rewrite.lines == {"armt, seed 3, 1,500 steps": ([10, 50], [99.0, 50.0])}
    # Most keys have another value than the commonest, which fewer pairs or keys make likelier.
    for lengths, shares in floors:
        assert lengths == [10, 50] and 100 > shares[0] > shares[1] > 100 / 16
    assert floors[0][1][0] < floors[1][1][0]
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()]
    assert [[cell.strip() for cell in row] for row in rows[2:]] == [
        ["remember", "10 pairs", "armt", "3", "1,500", "100.0%", "25.0%", "10"],
        ["remember", "10 pairs", "no keys", "", "", *(f"{s:.1f}%" for s in floors[0][1]), "0"],
        ["remember", "10 pairs", "rmt", "3", "1,500", "12.5%", "", "0"],
        ["rewrite", "10 pairs", "armt", "3", "1,500", "99.0%", "50.0%", "10"],
        ["rewrite", "10 pairs", "no keys", "", "", *(f"{s:.1f}%" for s in floors[1][1]), "0"],
    ]


def test_a_second_table_says_what_is_right_where_few_keys_come_often(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(associative, "draw", lambda name, panels: None)
    setting = {"told": "rewrite", "pairs": 20, "system": "armt", "seed": 0, "steps": 9}
    result = {**setting, "exact_match": {"20": 0.5}, "exact_match_of_few_keys": {"20 of 2": 0.75}}
    (tmp_path / "associative-a.json").write_text(json.dumps(result))
    assert associative.main([], tmp_path) == 0
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[-2:]]
    trained, floor = [[cell.strip() for cell in row] for row in rows]
    assert trained == ["rewrite", "20 pairs", "armt", "0", "9", "75.0%"]
    # Of two keys, the value that both have or that of one: about a half.
    assert floor[:-1] == ["rewrite", "20 pairs", "no keys", "", ""]
    assert 45 < float(floor[-1].rstrip("%")) < 60


def test_a_system_holds_as_many_pairs_as_it_answers_in_nine_of_ten_cases_and_all_fewer():
    assert associative.holds({"10": 0.99, "100": 0.95, "50": 0.9, "200": 0.5}) == 100
    assert associative.holds({"10": 0.99, "50": 0.8, "100": 0.95}) == 10
    assert associative.holds({"10": 0.89}) == 0
