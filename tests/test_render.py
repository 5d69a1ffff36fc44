"""The page's HTML: nothing of a document is ever markup, and every state has its words."""

from datetime import UTC, datetime

import pytest

from app.results import Answer, Citation, MemoryAnswer
from app.ui import render
from ingest.reports import FileReport
from storage.records import Document, Page

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
        "fingerprint": "f" * 64,
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
        "answer": render.answer_html(answer(answer=HOSTILE, citations=(cited,))),
        "not found": render.answer_html(
            answer(answer=None, found=False, citations=(), nearest=(cited,))
        ),
        "memory": render.memory_html(answer(memory_answer=said), None, {"d1": HOSTILE}),
        "picture": render.page_image_html(b"png", cited),
        "text": render.page_text_html(Page(4, HOSTILE, HOSTILE * 3), cited, HOSTILE),
        "documents": render.documents_html(
            [document(title=HOSTILE, state="failed", reason=HOSTILE)]
        ),
        "update": render.documents_html(
            [document(title=HOSTILE, update_state="failed", update_reason=HOSTILE)]
        ),
        "reports": render.reports_html(
            [FileReport("/a/" + HOSTILE, "failed", title=HOSTILE, reason=HOSTILE)]
        ),
        "untitled report": render.reports_html(
            [FileReport("/a/<b>bold<b>", "failed", reason=HOSTILE)]
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


def test_a_label_to_choose_a_citation_by_is_one_line_with_a_cut_title():
    assert render.citation_label(2, citation()) == "2 · Yearbook, page 5"
    assert render.citation_label(1, citation(page_label="iv")) == "1 · Yearbook, page iv"
    label = render.citation_label(1, citation(title="x" * 200))
    assert "x" * 57 + "..., page 5" in label and "x" * 58 not in label


def test_an_answer_shows_its_confidence_and_its_quotes_in_order():
    second = citation(quote="other\n  words", page=0, score=0.5)
    html = render.answer_html(answer(citations=(citation(), second)))
    assert "It is so." in html and "Confidence 88%" in html
    assert html.index("0123456789") < html.index("other words") and "page 1 · 50%" in html


def test_what_was_not_found_says_so_and_offers_the_nearest_three():
    nothing = answer(answer=None, found=False, confidence=0.1, citations=(), source="none")
    assert "Not found in these documents." in render.answer_html(nothing)
    assert "nearest" not in render.answer_html(nothing)
    four = tuple(citation(quote=f"quote {n}") for n in range(4))
    html = render.answer_html(answer(answer=None, found=False, citations=(), nearest=four))
    assert "nearest passages" in html and "quote 2" in html and "quote 3" not in html


def test_an_answer_from_memory_says_that_no_passage_says_so():
    html = render.answer_html(answer(answer="<Bees>", citations=(), source="memory"))
    assert "&lt;Bees&gt;" in html and "From memory alone, no passage says so" in html


def test_what_memory_says_is_told_apart_from_what_passages_say():
    for why in (render.UNTRAINED, render.NOT_ASKED):
        assert why in render.memory_html(None, why, {})
        assert why in render.memory_html(answer(), why, {})
    assert "not trained yet" in render.UNTRAINED
    assert render.memory_html(None, None, {}) == ""
    assert "Memory alone has no answer." in render.memory_html(answer(), None, {})
    said = render.memory_html(
        answer(memory_answer=MemoryAnswer("Bees.", 0.5, "d1")), None, {"d1": "Yearbook"}
    )
    assert "Bees." in said and "“Yearbook” alone, no passage read · confidence 50%" in said


def test_a_text_page_is_shown_around_its_marked_quote():
    text = "a" * 5000 + "THE QUOTE" + "b" * 5000
    html = render.page_text_html(
        Page(4, None, text), citation(start=5000, end=5009, quote="THE QUOTE")
    )
    around = render.AROUND
    assert f"<pre>…{'a' * around}<mark>THE QUOTE</mark>{'b' * around}…</pre>" in html
    assert 'data-page="4"' in html and "Yearbook, page 5" in html
    whole = render.page_text_html(Page(0, None, "THE QUOTE"), citation(start=0, end=9, quote="x"))
    assert "…" not in whole


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "<td>ready</td>"),
        ({"state": "failed", "reason": "It has 0 bytes."}, "failed: It has 0 bytes."),
        ({"pages_need_ocr": 3}, "needs OCR: no page has text"),
        ({"pages_need_ocr": 2}, "ready, 2 pages need OCR"),
        ({"pages_need_ocr": 1}, "ready, 1 page needs OCR"),
        ({"pages_without_text": 1}, "<td>ready</td>"),
        ({"pages_by_ocr": 1}, "ready, 1 page read by OCR"),
        ({"unknown_ratio": 0.4}, "not readable by this model"),
        ({"state": "reading"}, "<td>reading</td>"),
        ({"update_state": "reading"}, "ready; a newer version is being read"),
        (
            {"update_state": "failed", "update_reason": "Broken."},
            "ready; a newer version failed: Broken.",
        ),
    ],
)
def test_each_state_of_a_document_has_its_words(changes, words):
    html = render.documents_html([document(**changes)])
    assert words in html and "Yearbook" in html and "12,345" in html


def test_an_empty_library_says_what_to_do():
    assert "The library is empty. Drop documents" in render.documents_html([])


def test_reports_say_what_became_of_each_file():
    html = render.reports_html(
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
    assert render.reports_html([]) == ""
