"""What a question brings to the page, part by part, and what a change of the library leaves."""

import gradio as gr
import pytest

from app.answering import Answerer
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
    return Shelf.of(view.service.documents())


def is_skipped(value) -> bool:
    return value == gr.skip()


def test_passages_come_before_the_answer_and_the_page_last_and_the_box_is_free_at_once(view):
    parts = list(view._respond(ASKED[0], [], "", "final", None, []))
    htmls = [part[0] for part in parts]
    assert ["Looking …" in html for html in htmls] == [True, *[False] * (len(htmls) - 1)]
    assert "Reading 2 passages …" in htmls[1] and FERRY in htmls[1] and "verdict" not in htmls[1]
    assert all(f'<p class="verdict">{FERRY}</p>' in html for html in htmls[2:])
    # The comparison and the box: what is asked for or typed meanwhile stays.
    assert parts[0][6:8] == ("", "")
    assert all(is_skipped(part[n]) for part in parts[1:] for n in (6, 7))
    assert all(is_skipped(part[1]) for part in parts[:-1]) and "<mark>" in parts[-1][1]
    (turn,) = parts[-1][5]
    assert view.service.turns(parts[-1][4]) == [turn] and turn.answer.answer == FERRY


def test_a_question_that_is_refused_comes_back_to_the_box(view):
    parts = list(view._respond(ASKED[0], [], "two", "final", None, []))
    assert "page number from 1 on, not “two”" in parts[-1][0]
    assert parts[0][7] == "" and parts[-1][7] == ASKED[0]


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
    chosen, empty, *_ = same = view.again(shelf(view), ids, talk, turns, (0, 0))
    assert chosen.value == [ids[0]] and not empty.visible
    assert all(map(is_skipped, same[3:]))

    # Called before the answer was there, done after it: what that shows must stay.
    late = view.again(shelf(view), ids[:1], talk, [], (0, 0))
    assert late[4] == turns and FERRY in late[5] and is_skipped(late[3])
    assert all(map(is_skipped, late[6:]))
    early = view.again(shelf(view), ids[:1], None, [], (0, 0))
    assert all(map(is_skipped, early[3:])) and "value" not in early[2].constructor_args

    view.service.library.delete(ids[0])
    chosen, empty, *_ = gone = view.again(shelf(view), ids, talk, turns, (0, 0))
    assert chosen.value == [] and empty.visible
    assert is_skipped(gone[3]) and gone[4][0].answer is None and FERRY not in gone[5]
    assert gone[6] == "" and gone[9] == ""  # the page, and the comparison

    view.service.library.delete_conversation(talk)
    ended = view.again(shelf(view), ids, talk, gone[4], (0, 0))
    assert ended[3] is None and ended[4] == [] and ASKED[0] not in ended[5]
