"""The table and the picture of associative retrieval."""

import pytest

from armt_core.errors import UsageError
from benchmarks import associative
from tests.published import published


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """The tables and the panels of results, of the seed 3 unless they say otherwise."""

    def show(*found):
        setting = {"pairs": 10, "seed": 3, "steps": 1500}
        results = {f"associative-{i}": setting | one for i, one in enumerate(found)}
        return published(associative, results, tmp_path, monkeypatch)

    return show


def test_each_task_has_its_table_and_panel_and_each_training_its_row_and_line(shown):
    tables, (remember, rewrite) = shown(
        {"told": "rewrite", "system": "armt", "exact_match": {"10": 0.99, "50": 0.5}},
        {
            "told": "remember",
            "system": "armt",
            "exact_match": {"50": 0.25, "10": 1.0},
            "processor_minutes": 30.75,
        },
        {"told": "remember", "system": "rmt", "exact_match": {"10": 0.125}},
    )
    assert remember.title == "remember, up to 10 pairs" and remember.marks == [10]
    floors = [panel.lines.pop("no keys") for panel in (remember, rewrite)]
    assert remember.lines == {
        "armt, 1,500 steps": ([10, 50], [100.0, 25.0]),
        "rmt, 1,500 steps": ([10], [12.5]),
    }
    assert rewrite.lines == {"armt, 1,500 steps": ([10, 50], [99.0, 50.0])}
    # Few values are the one told most often, or last; of fewer pairs or keys more are.
    for lengths, shares in floors:
        assert lengths == [10, 50] and 100 > shares[0] > shares[1] > 100 / 16
    assert floors[0][1][0] < floors[1][1][0]
    header = ["trained on", "system", "seeds", "steps", "rate", "10", "50", "holds", "minutes"]
    cells = [[f"{share:.1f}" for share in shares] for _, shares in floors]
    assert tables == {
        "remember": (header, [
            ["10 pairs", "armt", "3", "1,500", "0.001 (10%)", "100.0", "25.0", "10 to 50", "31"],
            ["10 pairs", "rmt", "3", "1,500", "0.001 (10%)", "12.5", "", "0 to 10", ""],
            ["10 pairs", "no keys", "", "", "", *cells[0], "0 to 10", ""],
        ]),
        "rewrite": (header, [
            ["10 pairs", "armt", "3", "1,500", "0.001 (10%)", "99.0", "50.0", "10 to 50", ""],
            ["10 pairs", "no keys", "", "", "", *cells[1], "0 to 10", ""],
        ]),
    }  # fmt: skip


def test_trainings_that_differ_in_their_seed_alone_are_one_row_and_line_of_their_mean(shown):
    one = {"told": "remember", "system": "armt", "processor_minutes": 10}
    tables, (panel,) = shown(
        one | {"seed": 1, "exact_match": {"10": 0.9375}, "processor_minutes": 20},
        one | {"seed": 0, "exact_match": {"10": 0.875}},
        one | {"seed": 0, "steps": 9, "exact_match": {"10": 0.5}},
        one | {"seed": 1, "steps": 9, "exact_match": {"10": 0.5}, "processor_minutes": None},
    )
    _, rows = tables["remember"]
    assert rows[:2] == [
        ["10 pairs", "armt", "0, 1", "9", "0.001 (10%)", "50.0 (50.0 to 50.0)", "0 to 10", ""],
        [
            "10 pairs",
            "armt",
            "0, 1",
            "1,500",
            "0.001 (10%)",
            "90.6 (87.5 to 93.8)",
            "10 or more",
            "15",
        ],
    ]
    assert panel.lines["armt, 1,500 steps"] == ([10], [90.625])


def test_a_mean_is_of_all_seeds_or_none_and_of_each_seed_once(shown):
    one = {"told": "rewrite", "system": "armt", "seed": 0}
    few = {"exact_match_of_few_keys": {"20 of 2": 0.75}}
    tables, _ = shown(
        one | {"exact_match": {"10": 0.5, "20": 0.5}} | few,
        one | {"seed": 1, "exact_match": {"10": 0.5}},
        one | {"steps": 9, "exact_match": {"10": 1.0}} | few,
    )
    header, rows = tables["rewrite"]
    assert header[5:7] == ["10", "holds"] and rows[0][5:7] == ["100.0", "10 or more"]
    _, rows = tables["few keys"]
    assert [row[:4] for row in rows[:1]] == [["10 pairs", "armt", "0", "9"]]
    assert [row[1] for row in rows] == ["armt", "no keys"]
    with pytest.raises(UsageError, match="leave one out"):
        shown(*[one | {"exact_match": {"10": 0.5}}] * 2)


def test_a_table_says_what_is_right_where_few_keys_come_often(shown):
    one = {"told": "rewrite", "system": "armt", "exact_match": {"20": 0.5}}
    tables, _ = shown(one | {"exact_match_of_few_keys": {"20 of 2": 0.75}})
    header, (trained, floor) = tables["few keys"]
    assert header == [*associative.SETTING, "20 of 2"]
    assert trained == ["10 pairs", "armt", "3", "1,500", "0.001 (10%)", "75.0"]
    # Of two keys, the one told last is asked for in half of the questions.
    assert floor[:-1] == ["10 pairs", "no keys", "", "", ""]
    assert 45 < float(floor[-1]) < 60


def test_a_table_says_what_is_known_of_200_pairs_by_when_they_were_told(shown):
    one = {"told": "remember", "system": "armt", "exact_match": {"10": 0.5}}
    tables, _ = shown(
        one | {"exact_match_by_fifth": {"20": [1.0] * 5, "200": [1.0, 0.75, 0.5, None, 0.25]}},
        one | {"seed": 4, "exact_match_by_fifth": {"200": [0.5, 0.75, 0.5, 0.5, 0.25]}},
        one | {"steps": 9},
    )
    header, rows = tables["by fifth"]
    assert header == ["task", *associative.SETTING, *associative._FIFTHS]
    mean = ["75.0 (50.0 to 100.0)", "75.0 (75.0 to 75.0)", "50.0 (50.0 to 50.0)", ""]
    assert [row[6:] for row in rows] == [[*mean, "25.0 (25.0 to 25.0)"]]
    assert rows[0][:4] == ["remember", "10 pairs", "armt", "3, 4"]


def test_a_system_holds_as_many_pairs_as_it_answers_in_nine_of_ten_cases_and_all_fewer():
    assert associative.holds({10: [0.99], 100: [0.95], 50: [0.9], 200: [0.5]}) == "100 to 200"
    assert associative.holds({10: [0.99], 50: [0.8], 100: [0.95]}) == "10 to 50"
    assert associative.holds({10: [0.89]}) == "0 to 10"
    assert associative.holds({10: [0.85, 0.99], 50: [0.85, 0.96]}) == "50 or more"
