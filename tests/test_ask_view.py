"""What a question brings to the page, part by part, and what a change of the library leaves."""

import gradio as gr
import pytest

from app.answering import Answerer
from app.conversing import Turn
from app.service import Service
from app.ui.ask import AskView
from app.ui.documents import Shelf
from ingest.pipeline import ingest_paths
from storage.library import Library
from tests.fakes import CALIBRATION

FERRY = "The ferry leaves for Tarn Island at twenty past seven."
KEEPER = "The lighthouse on Vessel Rock is kept by Henrike Aalto."
ASKED = ("When does the ferry leave for Tarn Island?", "Who keeps the lighthouse on Vessel Rock?")


@pytest.fixture
def view(tmp_path, reader):
    """Over a library of two texts."""
    for name, text in (("ferry", FERRY), ("keeper", KEEPER)):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    with (
        Library(tmp_path / "library") as library,
        Service(Answerer(library, reader, CALIBRATION)) as service,
    ):
        list(ingest_paths([tmp_path / "ferry.txt", tmp_path / "keeper.txt"], library, reader))
        with gr.Blocks():
            made = AskView(service)
        yield made


def shelf(view):
    return Shelf.of(view.service.documents(), view.service.model)


def is_skipped(value) -> bool:
    return value == gr.skip()


def test_passages_come_before_the_answer_and_the_page_last_and_the_box_is_free_at_once(view):
    parts = list(view._respond(ASKED[0], [], "", "final", None, []))
    htmls = [part[0] for part in parts]
    assert ["Looking …" in html for html in htmls] == [True, *[False] * (len(htmls) - 1)]
    assert "Reading 2 passages …" in htmls[1] and FERRY in htmls[1] and "verdict" not in htmls[1]
    assert all(f'<p class="verdict">{FERRY}</p>' in html for html in htmls[2:])
    # The comparison and the box: what is asked for or typed meanwhile stays.
    assert parts[0][6:8] == ("", "") and parts[0][8].value == parts[0][4] == parts[-1][4]
    assert all(is_skipped(part[n]) for part in parts[1:] for n in (6, 7))
    assert all(is_skipped(part[1]) for part in parts[:-1]) and "<mark>" in parts[-1][1]
    (turn,) = parts[-1][5]
    assert view.service.turns(parts[-1][4]) == [turn] and turn.answer.answer == FERRY


def test_what_is_pressed_twice_is_asked_once(view):
    (part,) = view._respond(None, [], "", "final", None, [])
    assert len(part) == 9 and all(map(is_skipped, part)) and view.service.conversations() == []


def test_a_question_that_is_refused_comes_back_to_the_box(view):
    (part,) = view._respond(ASKED[0], [], "two", "final", None, [])
    assert "page number from 1 on, not “two”" in part[0] and part[6:8] == ("", ASKED[0])
    assert view.service.conversations() == []
    *_, last = view._respond(ASKED[0], [], "", "final", None, [])
    for talk, turns in ((None, []), (last[4], last[5])):
        *_, refused = view._respond("Who?", ["no such id"], "", "final", talk, turns)
        assert "No document has the id" in refused[0] and refused[7] == "Who?"
        assert refused[4:6] == (talk, turns)
    (kept,) = view.service.conversations()
    assert kept.id == last[4] and view.service.turns(kept.id) == last[5]


def test_a_question_whose_page_is_closed_before_the_answer_comes_is_kept(view):
    answering = view._respond(ASKED[0], [], "", "final", None, [])
    next(answering)
    answering.close()
    (kept,) = view.service.conversations()
    assert kept.title == ASKED[0] and view.service.turns(kept.id) == [Turn(ASKED[0], None, True)]
    told, *_, turns, _ = view._open(kept.id)
    assert ASKED[0] in told and "No answer is kept yet" in told
    *_, last = view._respond(ASKED[1], [], "", "final", kept.id, turns)
    assert [turn.pending for turn in last[5]] == [True, False] and KEEPER in last[0]


@pytest.mark.parametrize("when", ["before it is asked", "while it is answered"])
def test_an_answer_whose_conversation_is_deleted_elsewhere_is_kept_in_a_new_one(view, when):
    *_, last = view._respond(ASKED[0], [], "", "final", None, [])
    talk, turns = last[4], last[5]
    answering = view._respond(ASKED[1], [], "", "final", talk, turns)
    if when == "while it is answered":
        next(answering)
    view.service.library.delete_conversation(talk)
    *_, last = answering
    assert "The conversation was deleted" in last[0] and "kept in a new one" in last[0]
    assert KEEPER in last[0] and ASKED[0] not in last[0] and last[4] != talk
    (kept,) = view.service.conversations()
    assert kept.id == last[4] and kept.title == ASKED[1]
    assert view.service.turns(kept.id) == last[5] and last[5][0].answer.answer == KEEPER
    assert len(last[5]) == 1


def test_both_ways_are_as_of_the_page_that_the_answer_beside_them_is_of(view, monkeypatch):
    *_, last = view._respond(ASKED[0], [], "1", "final", None, [])
    asked, real = [], view.service.compare
    monkeypatch.setattr(view.service, "compare", lambda *a: asked.append(a) or real(*a))
    assert FERRY in view._compare(last[5], [])
    *_, last = view._respond(ASKED[1], [], "", "final", last[4], last[5])
    assert KEEPER in view._compare(last[5], [])
    assert asked == [(ASKED[0], [], 0), (ASKED[1], [], None)]


def test_what_is_deleted_while_an_answer_is_on_its_way_is_gone_when_it_comes(view):
    ids = [view.service.library.document(name).id for name in ("ferry", "keeper")]
    *_, last = view._respond(ASKED[0], ids[:1], "", "final", None, [])
    answering = view._respond(ASKED[1], ids[1:], "", "final", last[4], last[5])
    assert FERRY in next(answering)[0]
    view.service.library.delete(ids[0])
    *_, last = answering
    assert FERRY not in last[0] and "quoted a document that was deleted" in last[0]
    assert f'<p class="verdict">{KEEPER}</p>' in last[0]


def test_a_change_leaves_the_conversation_alone_unless_it_is_the_conversations_own(view):
    ids = [view.service.library.document(name).id for name in ("ferry", "keeper")]
    *_, last = view._respond(ASKED[0], ids[:1], "", "final", None, [])
    talk, turns = last[4], last[5]

    view.service.library.delete(ids[1])
    chosen, empty, *_ = same = view.again(shelf(view), ids, talk, turns, (0, 0), "")
    assert chosen.value == [ids[0]] and not empty.visible
    assert all(map(is_skipped, same[3:]))

    # Called before the answer was there, done after it: what that shows must stay.
    late = view.again(shelf(view), ids[:1], talk, [], (0, 0), "")
    assert late[4] == turns and FERRY in late[5] and is_skipped(late[3])
    assert all(map(is_skipped, late[6:]))
    asking = view.service.begin(talk, ASKED[1])  # here or in another tab
    under_way = view.again(shelf(view), ids[:1], talk, turns, (0, 0), "")
    assert all(map(is_skipped, under_way[3:]))
    view.service.withdraw(asking)
    early = view.again(shelf(view), ids[:1], None, [], (0, 0), "")
    assert all(map(is_skipped, early[3:])) and "value" not in early[2].constructor_args

    view.service.library.delete(ids[0])
    chosen, empty, *_ = gone = view.again(shelf(view), ids, talk, turns, (0, 0), "")
    assert chosen.value == [] and empty.visible
    assert is_skipped(gone[3]) and gone[4][0].answer is None and FERRY not in gone[5]
    assert gone[6] == "" and gone[9] == ""  # the page, and the comparison

    view.service.library.delete_conversation(talk)
    ended = view.again(shelf(view), ids, talk, gone[4], (0, 0), "")
    assert ended[3] is None and ended[4] == [] and ASKED[0] not in ended[5]
