"""The cleaned view of text and PDF, and the way back to the stored text."""

import random

import pytest

from ingest.cleaning import clean_document, to_page_span
from ingest.parsed import ParsedDocument
from ingest.runs import RunBuilder, slice_runs
from storage.records import Page


def cleaned(*texts, kind="pdf", labels=None):
    labels = labels or [None] * len(texts)
    pages = tuple(Page(i, labels[i], text) for i, text in enumerate(texts))
    return [page.text for page in clean_document(ParsedDocument("t", kind, pages))]


@pytest.mark.parametrize(
    ("stored", "clean"),
    [
        ("an exam-\nple here", "an example here"),
        ("an exam\u2010\r\nple here", "an example here"),
        ("an exam\u00ad\nple here", "an example here"),
        ("the EXAM-\nPLE", "the EXAMPLE"),
        ("an Anglo-\nSaxon", "an Anglo-Saxon"),
        ("from 1990-\n2000", "from 1990-2000"),
        ("a state-of-the-\nart thing", "a state-of-the-art thing"),
        ("it ended -\nso they say", "it ended - so they say"),
        ("a well-\nknown one, a well-known other", "a wellknown one, a well-known other"),
        ("a well-known one, a well-\nknown other", "a well-known one, a well-known other"),
        ("wellknown, well-known, well-\nknown", "wellknown, well-known, wellknown"),
    ],
)
def test_a_word_divided_at_a_line_end_is_mended_and_a_compound_keeps_its_hyphen(stored, clean):
    assert cleaned(stored, kind="text") == [clean]


def test_in_a_pdf_the_whole_document_says_which_hyphens_are_part_of_a_word():
    assert cleaned("a well\u00adknown one", "well-known") == ["a well-known one", "well-known"]
    assert cleaned("an exam\u00adple, soft\u00adhyphen") == ["an example, softhyphen"]
    assert cleaned("1990\u00ad2000") == ["1990-2000"]


@pytest.mark.parametrize(
    ("stored", "clean"),
    [
        ("ﬁnd the oﬀice, ﬂow", "find the office, flow"),
        ("soft\u00adhyphen zero\u200bwidth\ufeff", "softhyphen zerowidth"),
        ("no\u00a0break\u2009thin  two\ttab\u3000wide", "no break thin two tab wide"),
        ("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻"),
        ("\ufeb3\ufef4", "سي"),
        ("bell\x07 esc\x1b[0m", "bell esc[0m"),
    ],
)
def test_characters_that_read_badly_are_mended(stored, clean):
    assert cleaned(stored, kind="text") == [clean]


def test_wrapped_lines_are_joined_and_paragraphs_headings_and_lists_are_kept_apart():
    text = (
        "A Heading\n"
        "This is the first line of a paragraph that goes on over more than one line, as\n"
        "most do.\n\n"
        "Here is another, which has a list in it that is written right below this line:\n"
        "- one\n- two\n2. three\n"
    )
    assert cleaned(text, kind="text")[0].split("\n") == [
        "A Heading",
        "This is the first line of a paragraph that goes on over more than one line, as most do.",
        "Here is another, which has a list in it that is written right below this line:",
        "- one",
        "- two",
        "2. three",
    ]


def test_chinese_lines_are_joined_without_a_space():
    line = "今天天气很好所以我们决定一起去公园散步然后再回家吃饭看书写字睡觉"
    assert cleaned(f"{line}\n{line}\n\n{line}", kind="text") == [f"{line}{line}\n{line}"]


def test_a_text_of_unwrapped_paragraphs_keeps_each_line_end():
    long = "word " * 60 + "end."
    assert cleaned(f"{long}\n{long}", kind="text") == [f"{long}\n{long}"]


BODY = ["alpha beta.", "gamma delta.", "epsilon zeta.", "eta theta.", "iota kappa.", "mu nu."]


def with_furniture(header, footer):
    return [f"{header(i)}\r\nBody {text}\r\n{footer(i)}" for i, text in enumerate(BODY)]


def test_headers_footers_and_page_numbers_are_left_out_but_said_once():
    pages = with_furniture(lambda i: "Annual Report 2031", lambda i: f"Page {i + 1} of 6")
    clean = cleaned(*pages)
    assert clean[0] == "Annual Report 2031 Body alpha beta."
    assert clean[1:] == [f"Body {text}" for text in BODY[1:]]


def test_headers_of_left_and_right_pages_and_roman_numbers_are_left_out():
    sides = ["The Author", "The Book Title"]
    numerals = ["i", "ii", "iii", "iv", "v", "vi"]
    clean = cleaned(*with_furniture(lambda i: sides[i % 2], lambda i: numerals[i]))
    assert clean[2:] == [f"Body {text}" for text in BODY[2:]]
    assert clean[0].startswith("The Author")
    assert clean[1].startswith("The Book Title")


def test_amounts_that_do_not_count_with_the_pages_are_kept():
    clean = cleaned(*with_furniture(lambda i: "x", lambda i: f"Total: {[90, 14, 7, 66, 3, 51][i]}"))
    assert [text.split("\n")[-1].split(": ")[1] for text in clean] == [
        "90",
        "14",
        "7",
        "66",
        "3",
        "51",
    ]


def test_what_repeats_on_two_pages_of_six_or_is_all_there_is_stays():
    pages = [f"Header here\r\nBody {t}" if i < 2 else f"Body {t}" for i, t in enumerate(BODY)]
    assert sum(text.startswith("Header here") for text in cleaned(*pages)) == 2
    assert cleaned(*["7"] * 5) == ["7"] * 5


def test_a_line_that_is_only_the_label_of_its_page_is_left_out():
    assert cleaned("iv\nPreface text", "Text\n7", labels=["iv", "7"]) == ["Preface text", "Text"]


def test_stored_text_is_never_touched_and_every_run_is_a_true_copy():
    rng = random.Random(3)
    pieces = ["word", "ex-\nam", "ﬁ", "\u00ad", " ", "  ", "\r\n", "\n\n", "a", "-", "日", "\u00a0"]
    for kind in ("pdf", "text"):
        for _ in range(300):
            texts = ["".join(rng.choices(pieces, k=rng.randrange(30))) for _ in range(4)]
            pages = tuple(Page(i, None, text) for i, text in enumerate(texts))
            for clean, text in zip(
                clean_document(ParsedDocument("t", kind, pages)), texts, strict=True
            ):
                for at, stored, length in clean.runs:
                    assert clean.text[at : at + length] == text[stored : stored + length]
                if clean.text:
                    start, end = to_page_span(clean.runs, 0, len(clean.text))
                    assert 0 <= start < end <= len(text)


def test_a_replaced_stretch_leads_back_to_all_of_its_original_and_no_more():
    source = "HEADER ﬁrst\r\nsecond FOOTER"
    builder = RunBuilder(source)
    builder.replace(7, 8, "fi")
    builder.keep(8, 11)
    builder.replace(11, 13, " ")
    builder.keep(14, 16)
    builder.replace(16, 18, "X")
    page = builder.build()
    assert page.text == "first ecX"
    stored = {}
    for start, end in [(0, 1), (1, 2), (0, 5), (2, 3), (5, 6), (6, 7), (4, 7), (8, 9), (0, 9)]:
        a, b = to_page_span(page.runs, start, end)
        stored[page.text[start:end], start] = source[a:b]
    assert stored == {
        ("f", 0): "ﬁ",
        ("i", 1): "ﬁ",
        ("first", 0): "ﬁrst",
        ("r", 2): "r",
        (" ", 5): "\r\n",
        ("e", 6): "e",
        ("t e", 4): "t\r\nse",
        ("X", 8): "on",
        ("first ecX", 0): "ﬁrst\r\nsecon",
    }
    for bad in [(0, 0), (3, 10), (-1, 2)]:
        with pytest.raises(ValueError, match="is not a stretch"):
            to_page_span(page.runs, *bad)


def test_the_runs_of_a_stretch_lead_where_the_whole_lead():
    source = "aﬁb  c\u00ad\u00add ﬂ e"
    page = clean_document(ParsedDocument("t", "text", (Page(0, None, source),)))[0]
    assert page.text == "afib cd fl e"
    for start in range(len(page.text)):
        for end in range(start + 1, len(page.text) + 1):
            part = slice_runs(page.runs, start, end)
            assert to_page_span(part, 0, end - start) == to_page_span(page.runs, start, end)


def test_the_beginning_of_a_text_is_cleaned_alike_whatever_follows():
    text = "A well-\nknown thing.\nShort\nwell-known here. " + "more words " * 30 + "\nwell-\nknown"
    whole = cleaned(text, kind="text")[0]
    for end in range(40, len(text), 7):
        part = cleaned(text[:end], kind="text")[0]
        common = part[: max(0, len(part) - 12)]
        assert whole.startswith(common)
