"""The page's HTML: nothing of a document is ever markup, and every state has its words."""

import re
from datetime import UTC, datetime

import pytest

from app.conversing import Turn
from app.outline import Change
from app.results import Answer, Citation, FoundPassage, MemoryAnswer, Place, Sides
from app.ui import answers, documents, memory, render
from ingest.draw import draw_page
from ingest.reports import FileReport
from storage.records import Document, Extent, Page
from tests.hostile_pdfs import one_page
from tests.pdf_makers import written

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; **bold** [link](javascript:1) "
    "$x^2$ {{ value }} `code`"
)
ESCAPED = (
    "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;&quot;&#x27;&amp;amp; "
    "**bold** [link](javascript:1) $x^2$ {{ value }} `code`"
)


def citation(**changes) -> Citation:
    values = {
        "document_id": "d1",
        "title": "Yearbook",
        "page": 4,
        "page_label": None,
        "start": 10,
        "end": 20,
        "quote": "0123456789",
        "passage_id": 1,
        "score": 0.75,
    }
    return Citation(**{**values, **changes})


def answer(**changes) -> Answer:
    values = {
        "question": "Q?",
        "answer": "It is so.",
        "found": True,
        "confidence": 0.876,
        "source": "passage",
        "answer_start": 10,
        "answer_end": 20,
        "citations": (citation(),),
        "memory_answer": None,
        "timings_ms": {},
    }
    return Answer(**{**values, **changes})


#: The fingerprint of the model that answers.
MODEL = "f" * 64


def sides(**changes) -> Sides:
    """Passages that answer alone."""
    return Sides(answer(**changes), answer(**changes))


def document(**changes) -> Document:
    values = {
        "id": "d1",
        "version_id": 1,
        "title": "Yearbook",
        "format": "pdf",
        "state": "ready",
        "reason": None,
        "reason_code": None,
        "sha256": "0" * 64,
        "fingerprint": MODEL,
        "pages": 3,
        "pages_without_text": 0,
        "tokens": 12345,
        "segments_read": 9,
        "segments_total": 9,
        "unknown_ratio": 0.0,
        "aliases": (),
        "snapshot_sha256": None,
        "bytes_kept": 0,
        "original_kept": True,
        "created_at": datetime(2020, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2020, 1, 1, tzinfo=UTC),
    }
    return Document(**{**values, **changes})


def hostile_pieces() -> dict[str, str]:
    """Everything that shows something of a document, each with hostile text in every place."""
    cited = citation(title=HOSTILE, page_label=HOSTILE, quote=HOSTILE, start=0, end=len(HOSTILE))
    said = MemoryAnswer(HOSTILE, 0.5, "d1")
    return {
        "answer": answers.answer_html(answer(answer=HOSTILE, citations=(cited,)), 0),
        "not found": answers.answer_html(
            answer(answer=None, found=False, citations=(), nearest=(cited,)), 0
        ),
        "memory": answers.conversation_html(
            [Turn("Q?", answer(memory_answer=said))], {"d1": HOSTILE}
        ),
        "question": answers.conversation_html([Turn(HOSTILE, answer())], {}),
        "waiting": answers.conversation_html([], {}, pending=HOSTILE),
        "reading": answers.reading_html(
            [FoundPassage(1, "d1", HOSTILE, 4, HOSTILE, 0, 9, HOSTILE, 0.5)]
        ),
        "comparison": answers.comparison_html(
            sides(question=HOSTILE, answer=HOSTILE, citations=(cited,), memory_answer=said),
            sides(memory_answer=said),
            None,
            0.9,
        ),
        "picture": render.page_image_html(b"png", cited),
        "text": render.page_text_html(Page(4, HOSTILE, HOSTILE * 3), cited),
        "documents": documents.documents_html(
            [document(title=HOSTILE, state="failed", reason=HOSTILE)], MODEL
        ),
        "update": documents.documents_html(
            [document(title=HOSTILE, update_state="failed", update_reason=HOSTILE)], MODEL
        ),
        "reports": documents.reports_html(
            [FileReport("/a/" + HOSTILE, "failed", title=HOSTILE, reason=HOSTILE)]
        ),
        "untitled report": documents.reports_html(
            [FileReport("/a/<b>bold<b>", "failed", reason=HOSTILE)]
        ),
        "extent": documents.extent_html(document(title=HOSTILE), Extent(1, 1, 1)),
        "outline": memory.outline_html([cited]),
        "changes": memory.changes_html(
            document(title=HOSTILE), document(), [Change("only here", 1, HOSTILE, HOSTILE)]
        ),
        "error": render.error_html(HOSTILE),
    }


@pytest.mark.parametrize("piece", hostile_pieces())
def test_text_of_documents_is_shown_as_it_is_and_never_becomes_markup(piece):
    html = hostile_pieces()[piece]
    for markup in ("<script", "<img src=x", "<b>bold", "&amp; **"):
        assert markup not in html
    # Long titles are cut in citations; everything else stands there in full.
    assert ESCAPED in html or piece == "picture"
    assert 'alt="&lt;script&gt;' in html or piece != "picture"


def test_a_citation_is_named_in_one_line_with_a_cut_title():
    assert render.citation_name(citation()) == "Yearbook, page 5"
    assert render.citation_name(citation(page_label="iv")) == "Yearbook, page iv"
    name = render.citation_name(citation(title="x" * 200))
    assert "x" * 57 + "..., page 5" in name and "x" * 58 not in name


def test_an_answer_shows_its_confidence_and_its_quotes_in_order():
    second = citation(quote="other\n  words", page=0, score=0.5)
    html = answers.answer_html(answer(citations=(citation(), second)), 3)
    assert "It is so." in html and "Confidence 88%" in html
    assert html.index("0123456789") < html.index("other words") and "page 1 · 50%" in html
    assert 'data-turn="3" data-citation="1"' in html and "weaker" not in html


def test_a_citation_names_the_documents_where_its_passage_stands_too():
    also = (Place("d2", "Year <book>", 6, None), Place("d3", "Annals", 0, "iv"))
    html = answers.answer_html(answer(citations=(citation(also=also),)), 0)
    assert "page 5 · 75% · also in Year &lt;book&gt;, page 7; Annals, page iv</span>" in html
    assert "also in" not in answers.answer_html(answer(), 0)


def test_passages_that_hardly_count_are_folded_away_and_keep_their_numbers():
    three = tuple(citation(quote=f"quote {n}", score=s) for n, s in enumerate((0.9, 0.01, 0.06)))
    html = answers.answer_html(answer(citations=three), 0)
    shown, folded = html.split("<details>")
    assert "quote 0" in shown and "quote 2" in shown and "quote 1" in folded
    assert "1 weaker passage<" in folded and 'data-citation="1"' in folded


def test_what_was_not_found_says_so_and_offers_the_nearest_three():
    nothing = answer(answer=None, found=False, confidence=0.1, citations=(), source="none")
    assert "Not found in these documents." in answers.answer_html(nothing, 0)
    assert "nearest" not in answers.answer_html(nothing, 0)
    four = tuple(citation(quote=f"quote {n}", score=0.01) for n in range(4))
    html = answers.answer_html(answer(answer=None, found=False, citations=(), nearest=four), 0)
    assert "nearest passages" in html and "quote 2" in html and "quote 3" not in html
    assert "weaker" not in html


def test_an_answer_from_memory_says_so_and_offers_the_nearest_passages_to_look_it_up():
    html = answers.answer_html(answer(answer="<Bees>", citations=(), source="memory"), 0)
    assert "&lt;Bees&gt;" in html and "From memory alone, surer than any passage" in html
    assert "nearest" not in html
    near = (citation(quote="quote 0"), citation(quote="quote 1", score=0.01))
    beside = answers.answer_html(answer(citations=(), source="memory", nearest=near), 0)
    assert "nearest passages" in beside and "quote 1" in beside and "weaker" not in beside


def test_what_told_the_memory_comes_before_the_nearest_passages_and_is_not_among_them():
    told = citation(quote="what told it", passage_id=7)
    near = (citation(quote="of the same", passage_id=7), citation(quote="another", passage_id=8))
    given = answer(citations=(), source="memory", since=told, nearest=near)
    assert [c.quote for c in answers.citations_of(given)] == ["what told it", "another"]
    html = answers.answer_html(given, 2)
    since, nearest = html.split("The nearest passages, to look it up:")
    assert "It says so since it read this:" in since and "what told it" in since
    assert 'data-turn="2" data-citation="0"' in since and "of the same" not in html
    assert 'data-turn="2" data-citation="1"' in nearest and "another" in nearest
    alone = answers.answer_html(answer(citations=(), source="memory", since=told), 0)
    assert "what told it" in alone and "nearest" not in alone


def test_what_memory_says_stands_apart_from_what_passages_say():
    said = MemoryAnswer("Bees.", 0.5, "d1")
    html = answers.conversation_html([Turn("Q?", answer(memory_answer=said))], {"d1": "Yearbook"})
    assert "memory of “Yearbook” alone says: <b>Bees.</b> · confidence 50%" in html
    assert "memory" not in answers.conversation_html([Turn("Q?", answer())], {})


def test_a_conversation_shows_the_last_turn_first_and_what_is_not_answered_yet():
    html = answers.conversation_html(
        [Turn("First?", answer()), Turn("Second?", None)], {}, "Third?", answers.reading_html()
    )
    assert html.index("Third?") < html.index("Looking …") < html.index("Second?")
    assert html.index("document that was deleted") < html.index("First?") < html.index("It is so.")
    found = FoundPassage(1, "d1", "Yearbook", 4, None, 0, 9, "It is\nso. " * 30, 0.5)
    reading = answers.reading_html([found, found])
    assert "Reading 2 passages …" in reading and reading.count("Yearbook, page 5") == 2
    assert "It is so. It is so." in reading and len(reading) < 600
    assert answers.conversation_html([], {}) == ""


def test_passages_memory_and_an_emptied_memory_stand_side_by_side():
    weak = sides(source="none", answer=None, found=False, citations=())
    said = MemoryAnswer("garden", 0.9, "d1")
    surer = answer(source="memory", answer="garden", citations=(), memory_answer=said)
    for final in (sides(memory_answer=said), Sides(answer(), surer)):
        html = answers.comparison_html(final, sides(), None, 0.5)
        assert html.index("It is so.") < html.index("garden") < html.index("Nothing.")
        assert "would say" not in html
        assert "Passages would say: Nothing that" in answers.comparison_html(final, weak, None, 0.5)
        for why in (answers.UNTRAINED, answers.NOT_ASKED):
            assert answers.comparison_html(final, sides(), why, 0.5).count(why) == 2


def test_one_threshold_rules_memory_and_emptied_memory():
    weak = sides(memory_answer=MemoryAnswer("bedroom", 0.32, "d1"))
    html = answers.comparison_html(weak, weak, None, 0.5)
    told = "It would have said “bedroom”, confidence 32% of the 50% that it takes."
    assert html.count(told) == 2 and html.count("Nothing that reaches the threshold.<br>") == 2


def test_documents_of_the_same_title_are_told_apart():
    first, second = (
        document(id="a1", aliases=("/x/one.pdf",)),
        document(id="b2", aliases=("/y/2.pdf",)),
    )
    named = documents.names([first, second, document(id="c3", title="Other")])
    assert named["a1"].startswith("Yearbook (one.pdf, added 20") and named["c3"] == "Other"
    assert named["b2"].startswith("Yearbook (2.pdf, added ")
    twins = documents.names([document(id="a1"), document(id="b2", title="YEARBOOK")])
    same = documents.names([document(id="a1"), document(id="b2")])
    assert len({*twins.values()}) == len({*same.values()}) == 2
    turned = documents.documents_html([document(title="r\u202etxt.exe")], MODEL)
    assert "\u202e" not in turned and "r\\u202etxt.exe" in turned


def test_documents_that_share_nothing_are_said_to_be_no_versions_and_others_have_a_legend():
    change = [Change("only here", 1, None, "It is new.")]
    html = memory.changes_html(document(), document(title="Poem"), change, 0.02)
    assert "they are not versions of each other" in html and "It is new." not in html
    html = memory.changes_html(document(), document(title="Poem"), change, 0.9)
    assert html.index('class="new">only in the first, “Yearbook”') < html.index(
        'class="gone">only in the other, “Poem”'
    )


def test_before_a_document_is_deleted_its_extent_is_shown():
    html = documents.extent_html(document(bytes_kept=2_500_000), Extent(40, 1, 2))
    assert "“Yearbook” for good: 3 pages, 40 passages, 1 memory, the copy of its file" in html
    assert "2 answers that quote it; 2.5 MB" in html
    bare = documents.extent_html(document(original_kept=False), Extent(1, 2, 0))
    assert "1 passage, 2 memories; 0.0 MB" in bare and "copy" not in bare


def test_under_a_drawn_page_stands_whether_it_is_all_of_the_page(tmp_path):
    poster = written(tmp_path, "a.pdf", one_page(of_page=b"/MediaBox[0 0 2384 3370]"))
    part = render.page_image_html(draw_page(poster, 0, boxes_for=(0, 4)), citation())
    assert "<figcaption>Yearbook, page 5; part of the page</figcaption>" in part
    whole = render.page_image_html(draw_page(poster, 0, scale=0.1), citation())
    assert "<figcaption>Yearbook, page 5</figcaption>" in whole
    by_ocr = render.page_image_html(b"png", citation(), by_ocr=True)
    assert "page 5; read by OCR, so the quote is not marked</figcaption>" in by_ocr


def test_a_text_page_is_shown_around_its_marked_quote():
    text = "a" * 5000 + "THE QUOTE" + "b" * 5000
    html = render.page_text_html(
        Page(4, None, text), citation(start=5000, end=5009, quote="THE QUOTE")
    )
    before, after = "a" * render.BEFORE, "b" * render.AFTER
    assert f'<pre dir="auto">…{before}<mark>THE QUOTE</mark>{after}…</pre>' in html
    assert 'data-page="4"' in html and "Yearbook, page 5" in html
    whole = render.page_text_html(Page(0, None, "THE QUOTE"), citation(start=0, end=9, quote="x"))
    assert "…" not in whole


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ">ready</td>"),
        ({"state": "failed", "reason": "It has 0 bytes."}, "failed: It has 0 bytes."),
        ({"pages_need_ocr": 3}, "needs OCR: no page has text"),
        ({"pages_need_ocr": 2}, "ready, 2 pages need OCR"),
        ({"pages_need_ocr": 1}, "ready, 1 page needs OCR"),
        ({"pages_without_text": 1}, ">ready</td>"),
        ({"pages_without_text": 3}, "ready, no page has text"),
        (
            {"state": "reading", "interrupted": True, "segments_read": 3, "segments_total": 9},
            "interrupted after 3 of 9 segments; “Go on reading” above",
        ),
        ({"pages_no_picture": 2}, "ready, 2 pages without text cannot be drawn"),
        ({"pages_by_ocr": 1}, "ready, 1 page read by OCR"),
        ({"format": "memory", "pages": 0}, "a memory alone: it answers"),
        ({"unknown_ratio": 0.4}, "not readable by this model"),
        ({"state": "reading"}, ">reading</td>"),
        ({"update_state": "reading"}, "ready; a newer version is being read"),
        (
            {"update_state": "reading", "update_interrupted": True},
            "ready; the reading of a newer version was interrupted: add its file again",
        ),
        (
            {"update_state": "failed", "update_reason": "Broken."},
            "ready; a newer version failed: Broken.",
        ),
    ],
)
def test_each_state_of_a_document_has_its_words(changes, words):
    html = documents.documents_html([document(**changes)], MODEL)
    assert words in html and "Yearbook" in html and "12,345" in html


def test_what_another_model_has_read_is_not_called_ready():
    read, other = document(), "b" * 64
    assert ">ready</td>" in documents.documents_html([read], MODEL)
    told = "another model read it; “Go on reading” above reads it again"
    assert told in documents.documents_html([read], other)
    assert "another" in documents.documents_html([read], other, "another")  # it is found by that
    alone = document(id="d2", format="memory", pages=0)
    assert ">cannot be asked: another model read it</td>" in documents.documents_html(
        [alone], other
    )
    assert [d.to_be_read(other) for d in (read, alone)] == [True, False]
    assert not read.to_be_read(MODEL)
    shelf = documents.Shelf.of([read, alone, document(id="d3", fingerprint=other)], other)
    assert [id for _, id in shelf.ready] == ["d3"] and len(shelf.all) == 3
    assert "Another model read 1 of 3 documents: not asked until “Go on reading”" in shelf.notice()
    assert "Another model made 1 imported memory: not asked" in shelf.notice()
    assert documents.Shelf.of([read], MODEL).notice() == ""
    assert "The library is empty" in documents.Shelf.of([], MODEL).notice()


def test_of_many_documents_the_first_are_listed_and_words_find_the_others(monkeypatch):
    monkeypatch.setattr(documents, "ROWS", 2)
    shelf = [document(id=name * 32, title=f"Year {name}") for name in "abc"]
    shelf.append(document(id="d" * 32, title="Tides", state="failed", reason="It has 0 bytes."))

    def listed(wanted: str, most: int = 4) -> list[str]:
        html = documents.documents_html(shelf[:most], MODEL, wanted)
        return re.findall(r'role="status">(.*?)</p>|<tr><td>(.*?)</td>', html)

    more = "; the first 2 are shown, “Find documents” above finds others."
    assert listed("", 2) == [("", "Year a"), ("", "Year b")]
    assert listed("") == [(f"4 documents{more}", ""), ("", "Year a"), ("", "Year b")]
    assert listed("YEAR") == [(f"3 of 4 documents{more}", ""), ("", "Year a"), ("", "Year b")]
    assert listed(" c year ") == [("1 of 4 documents.", ""), ("", "Year c")]
    assert listed("failed bytes") == [("1 of 4 documents.", ""), ("", "Tides")]
    assert listed("<b>") == [("0 of 4 documents.", "")]


def test_an_empty_library_says_what_to_do():
    assert "The library is empty. Drop documents" in documents.documents_html([], MODEL)


def test_reports_say_what_became_of_each_file():
    html = documents.reports_html(
        [
            FileReport("/a/b.pdf", "added", title="Book", pages=3, tokens=4200, seconds=1.25),
            FileReport("C:\\x\\c.txt", "failed", reason="It has 0 bytes."),
            FileReport("/a/d.txt", "skipped", title="Known", reason="known already"),
            FileReport("/a/f.txt", "skipped", reason="Another process is reading it."),
            FileReport("/a/e.txt", "added", title="Page", pages=1, tokens=9, reason="needs OCR"),
        ]
    )
    assert "<b>Read</b> Book: 3 pages, 4,200 tokens, 1.2 s" in html
    assert '<li class="failed"><b>Failed</b> c.txt (It has 0 bytes.)' in html
    assert "<b>Known already</b> Known</li>" in html
    assert "<b>Left out</b> f.txt (Another process is reading it.)" in html
    assert "Page: 1 page, 9 tokens, 0.0 s (needs OCR)" in html
    assert documents.reports_html([]) == ""
