"""Tables of benchmarks, and the page that they stand in."""

import re

import pytest

from armt_core.errors import UsageError
from benchmarks import associative, lengths, results, segments
from benchmarks.results import PAGE, RESULTS, publish, table
from tests.published import published


def test_a_table_is_markdown_whose_columns_are_as_wide_as_their_widest_cell():
    assert table(["a", "long"], [["wide", "b"]]) == (
        "| a    | long |\n| ---- | ---- |\n| wide | b    |"
    )


def test_a_table_takes_the_place_of_the_one_before_it_and_nothing_else(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    text = "One\n<!-- a -->\nold\n<!-- end -->\nTwo\n<!-- b -->\nkept\n<!-- end -->\n"
    page.write_text(text)
    monkeypatch.setattr(results, "PAGE", page)
    publish("a", ["x"], [["1"]])
    assert page.read_text() == text.replace("old\n", "| x |\n| - |\n| 1 |\n")
    changed = page.read_text()
    with pytest.raises(UsageError, match="<!-- c --> and <!-- end -->"):
        publish("c", ["x"], [["1"]])
    assert page.read_text() == changed


@pytest.mark.parametrize("module", [associative, lengths, segments])
def test_the_page_holds_what_the_committed_results_say(module, monkeypatch):
    tables, _ = published(module, {}, RESULTS, monkeypatch)
    text = PAGE.read_text(encoding="utf-8")
    for name, (header, rows) in tables.items():
        [found] = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
        assert found == table(header, rows), f"run python -m {module.__name__}"
