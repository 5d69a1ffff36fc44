"""The table and the picture of algorithmic problems and small models' stories, by length."""

import pytest

from armt_core.errors import UsageError
from benchmarks import lengths
from tests.published import published

SETTING = {"segments": 2, "seed": 0, "steps": 1000}


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """The rows of each table, and the panels that are drawn."""

    def show(**results):
        kinds = {name: of["task"].replace("stories", "babilong") for name, of in results.items()}
        found = {f"{kinds[name]}-{name}": SETTING | of for name, of in results.items()}
        tables, panels = published(lengths, found, tmp_path, monkeypatch)
        return {name: rows for name, (_, rows) in tables.items()}, panels

    return show


def shares(*symbols):
    return {str(2 * 2**i): {"symbols": s, "exact": s / 2} for i, s in enumerate(symbols)}


def test_an_algorithmic_problem_has_symbols_and_whole_answers_by_length(shown):
    told = {"task": "algorithmic", "problem": "copy", "system": "rmt", "processor_minutes": 4.4}
    right = {"right": shares(1, 0.5, 0.25, 0.1), "right_emptied": shares(0.06, 0.05, 0.05, 0.05)}
    tables, (panel,) = shown(rmt=told | right)
    name = "rmt, seed 0, 1,000 steps"
    assert tables == {"copy": [
        ["2 segments", name, "100.0% (50.0%)", "50.0% (25.0%)", "25.0% (12.5%)",
         "10.0% (5.0%)", "6.0%", "", "4"]
    ]}  # fmt: skip
    assert panel.title == "copy, up to 2 segments" and panel.marks == [2]
    assert panel.lines == {name: ([2, 4, 8, 16], [100, 50, 25, 10])}


def test_stories_have_a_row_for_each_task_but_one_of_which_no_story_fits(shown):
    def of(right, n=100):
        return (
            {"n": n, "right": right, "right_emptied": 0.2, "best_constant": 0.3} if n else {"n": 0}
        )

    told = {"task": "stories", "tasks": [1, 3, 4], "system": "armt"}
    qa1 = {"2": of(0.9) | {"told_last": 0.5}, "4": of(0.8), "8": of(0.7), "16": of(0.6)}
    tables, panels = shown(
        armt=told | {"qa1": qa1, "qa3": {"2": of(0, n=0)}, "qa4": {"2": of(0.5), "4": of(0, n=0)}}
    )
    assert [*tables] == ["qa1", "qa4"]
    assert tables["qa1"][0][2:] == ["90.0%", "80.0%", "70.0%", "60.0%", "20.0%", "50.0%", ""]
    assert tables["qa4"][0][2:] == ["50.0%", "", "", "", "20.0%", "", ""]
    assert [panel.title for panel in panels] == ["qa1, up to 2 segments", "qa4, up to 2 segments"]
    assert panels[0].lines["told last"] == ([2, 4, 8, 16], [50] * 4)
    assert panels[1].lines == {"armt, seed 0, 1,000 steps": ([2], [50])}


def test_without_results_it_is_said_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"copy results\.json .* algorithmic-NAME\.json"):
        lengths.main([], tmp_path)


def test_panels_of_different_trainings_of_one_task_are_one(shown):
    told = {"task": "algorithmic", "problem": "parity"}
    right = {"right": shares(1, 1, 1, 1), "right_emptied": shares(0.5, 0.5, 0.5, 0.5)}
    tables, (panel,) = shown(
        rmt=told | right | {"system": "rmt"}, armt=told | right | {"system": "armt"}
    )
    assert list(panel.lines) == ["armt, seed 0, 1,000 steps", "rmt, seed 0, 1,000 steps"]
    assert len(tables["parity"]) == 2
