"""What dropdowns of documents offer where there are too many to send them all."""

import pytest

from app.ui import choosing
from app.ui.choosing import offered

THERE = [(f"Report {n} of {'AB'[n % 2]}", f"id{n}") for n in range(8)]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(choosing, "ALL", 5)
    monkeypatch.setattr(choosing, "OFFERED", 3)


def ids(*named, **typed):
    return [name for _, name in offered(THERE, *named, **typed)]


def test_of_many_the_first_are_offered_and_what_is_chosen_stays():
    assert ids([]) == ["id0", "id1", "id2"]
    assert ids(["id1", "id6", "gone"]) == ["id0", "id1", "id2", "id6"]


def test_what_is_typed_finds_the_others_whatever_the_case():
    assert ids([], typed="OF b") == ["id1", "id3", "id5"]
    assert ids(["id0"], typed="report 7") == ["id7", "id0"]
    assert ids([], typed="nothing") == []


def test_few_are_all_offered_whatever_is_typed_for_the_browser_finds_them_itself():
    assert offered(THERE[:5], [], "report 2") == THERE[:5]
