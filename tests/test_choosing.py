"""What dropdowns of documents offer where there are too many to send them all."""

import pytest

from app.ui import choosing
from app.ui.choosing import brought_up_to_date, offered

THERE = [(f"Report {n} of {'AB'[n % 2]}", f"id{n}") for n in range(8)]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(choosing, "ALL", 5)
    monkeypatch.setattr(choosing, "OFFERED", 3)


def ids(*named, **typed):
    return [name for _, name in offered(THERE, *named, **typed)]


def test_of_many_the_first_are_offered_and_what_is_chosen_stays():
    assert ids([]) == ["id0", "id1", "id2"]
    assert ids(["id1", "id6", "gone"]) == ["id0", "id1", "id6"]


def test_what_is_typed_finds_the_others_whatever_the_case():
    assert ids([], typed="OF b") == ["id1", "id3", "id5"]
    assert ids(["id0"], typed="report 7")[0] == "id7"


def test_always_as_many_are_offered_for_a_list_that_grows_shorter_is_an_error_of_the_browsers():
    assert ids([], typed="report 7") == ["id7", "id0", "id1"]
    assert ids(["id7"], typed="report 7") == ["id0", "id1", "id7"]
    assert ids([], typed="nothing") == ["id0", "id1", "id2"]


def test_few_are_all_offered_whatever_is_typed_for_the_browser_finds_them_itself():
    assert offered(THERE[:5], [], "report 2") == THERE[:5]


def told(choices, chosen, typed=""):
    return brought_up_to_date(choices, chosen, typed).constructor_args


def test_what_is_chosen_and_still_there_is_not_told_again_for_something_else_may_be_by_now():
    assert (
        "value" not in told(THERE, "id6")
        and ("Report 6 of A", "id6") in told(THERE, "id6")["choices"]
    )
    assert "value" not in told(THERE, None) and "value" not in told(THERE, ["id7", "id2"])


def test_what_is_chosen_and_gone_is_taken_back():
    assert told(THERE, "gone")["value"] is None
    assert told(THERE, ["id2", "gone"])["value"] == ["id2"]
    assert told(THERE, ["gone"])["value"] == []


def test_what_was_found_for_what_is_being_typed_stays_when_the_library_changes():
    assert "choices" not in told(THERE, None, "report 7")
    assert told(THERE, "gone", "report 7")["value"] is None
    assert told(THERE[:5], None, "report 7")["choices"] == THERE[:5]
