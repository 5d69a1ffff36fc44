"""Tables of benchmarks, and the page that they stand in."""

import re

import pytest

from armt_core.errors import RecollectError, UsageError
from benchmarks import associative, lengths, results, segments
from benchmarks.results import PAGE, RESULTS, publish, run, table
from tests.published import published


def test_a_table_is_markdown_whose_columns_are_as_wide_as_their_widest_cell():
    assert table(["a", "long"], [["wide", "b"]]) == (
        "| a    | long |\n| ---- | ---- |\n| wide | b    |"
    )


def test_a_column_that_no_row_fills_is_left_out():
    assert table(["a", "b"], [["1", ""], ["2", ""]]) == "| a |\n| - |\n| 1 |\n| 2 |"
    assert table(["a", "b"], []) == "| a | b |\n| - | - |"


def test_tables_take_the_place_of_those_before_them_and_nothing_else(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    text = "One\n<!-- a -->\n<!-- end -->\nTwo\n<!-- b -->\n| old |\n<!-- end -->\nThree\n"
    page.write_text(text)
    monkeypatch.setattr(results, "PAGE", page)
    publish({"a": (["x"], [["1"]]), "b": (["y"], [["2"]])})
    once = page.read_text()
    tables = "<!-- a -->\n| x |\n| - |\n| 1 |\n<!-- end -->", "| y |\n| - |\n| 2 |\n"
    assert once == text.replace("<!-- a -->\n<!-- end -->", tables[0]).replace(
        "| old |\n", tables[1]
    )
    publish({"b": (["y"], [["2"]])})
    assert page.read_text() == once


@pytest.mark.parametrize(
    "text",
    [
        "<!-- a -->\n<!-- end -->\n",
        "<!-- a -->\n<!-- end -->\n<!-- b -->\nno end\n<!-- a -->\n<!-- end -->\n",
        "<!-- a -->\n<!-- end -->\n" + "<!-- b -->\n<!-- end -->\n" * 2,
    ],
)
def test_without_one_place_for_each_table_nothing_is_written(text, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(text)
    monkeypatch.setattr(results, "PAGE", page)
    with pytest.raises(UsageError, match=r"write the lines <!-- [ab] -->"):
        publish({"a": (["x"], [["1"]]), "b": (["x"], [["1"]])})
    assert page.read_text() == text


@pytest.mark.parametrize(("error", "code"), [(UsageError, 2), (RecollectError, 1)])
def test_an_error_of_the_project_ends_a_benchmark_with_a_line(error, code, capsys):
    def main():
        raise error("copy it there.")

    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == code and capsys.readouterr().err == "error: copy it there.\n"
    with pytest.raises(SystemExit) as ended:
        run(lambda: 3)
    assert ended.value.code == 3


@pytest.mark.parametrize("module", [associative, lengths, segments])
def test_the_page_holds_what_the_committed_results_say(module, monkeypatch):
    tables, _ = published(module, {}, RESULTS, monkeypatch)
    text = PAGE.read_text(encoding="utf-8")
    for name, (header, rows) in tables.items():
        [found] = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
        assert found == table(header, rows), f"run python -m {module.__name__}"
