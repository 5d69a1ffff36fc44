"""Markdown: the source is stored, and the model reads what a reader would see."""

import random

import pytest

from ingest.cleaning import clean_document, to_page_span
from ingest.markdown_files import clean_markdown, parse_markdown


@pytest.mark.parametrize(
    ("source", "clean"),
    [
        ("Some **bold**, *it* and __both__ ~~gone~~.", "Some bold, it and both gone."),
        ("`a * b` and ``c``", "a * b and c"),
        ("snake_case, 2 * 3, 2*3 and 2**3", "snake_case, 2 * 3, 2*3 and 2**3"),
        ("这是**重点**内容", "这是重点内容"),
        ("[text](http://a.b/c_(d) 'title') ![alt](x.png)", "text alt"),
        ("[![badge](a.svg)](b) <https://ex.am/ple>", "badge https://ex.am/ple"),
        ("[text][ref] [ref] a[i][j]\n\n[ref]: http://x.y", "text ref a[i][j]"),
        ("a note[^1]\n\n[^1]: The note.", "a note\nThe note."),
        ("&amp; &eacute; &nosuch; \\*", "& é &nosuch; *"),
        ("one<br>two <b>three</b> a <y and z> b", "one two three a <y and z> b"),
        ("wrapped\nline\n\nnext", "wrapped line\nnext"),
        ("你好\n世界", "你好世界"),
        ("# Title #\ntext\n\nSetext\n======\nmore", "Title\ntext\nSetext\nmore"),
        ("text\n> quoted\n> more", "text\nquoted more"),
        ("- one\n  goes on\n* [x] two\n1. first", "one goes on\ntwo\n1. first"),
        ("| a | b |\n|---|--:|\n| 1 | 2 |\n\nP(A|B)", "a b\n1 2\nP(A|B)"),
        ("a | b\n--|--\n1 | 2", "a b\n1 2"),
        ("x\n\n***\n\ny", "x\ny"),
        ("---\ntitle: t\n---\nbody", "body"),
        ("before <!-- hidden\nlines --> after", "before after"),
        ("an open <!-- comment stays", "an open <!-- comment stays"),
        ("```py\nx = **y  # <!-- z\n```\nafter", "x = **y  # <!-- z\nafter"),
        ("~~~\n```\n~~~", "```"),
    ],
)
def test_markup_is_left_out_and_text_is_kept(source, clean):
    assert clean_markdown(source).text == clean


def test_runs_lead_every_character_back_to_the_source():
    source = (
        "# A *big* title\n\nSome **bold** &amp; [link](u)\nand\u00a0more.\n\n| a | b |\n|--|--|\n"
    )
    page = clean_markdown(source)
    assert page.text == "A big title\nSome bold & link and more.\na b"
    for clean, stored, length in page.runs:
        assert page.text[clean : clean + length] == source[stored : stored + length]
    for word, original in [("bold", "bold"), ("&", "&amp;"), ("link and", "link](u)\nand")]:
        at = page.text.index(word)
        start, end = to_page_span(page.runs, at, at + len(word))
        assert source[start:end] == original


def test_the_title_is_the_first_heading_and_else_the_name_of_the_file(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("```\n# no title\n```\n## Part\n# The *real* `title`\n# Other\n")
    document = parse_markdown(path)
    assert (document.title, document.format, len(document.pages)) == (
        "The real title",
        "markdown",
        1,
    )
    assert document.pages[0].text == path.read_text()
    assert clean_document(document)[0].text.startswith("# no title\nPart\nThe real title")
    path.write_text("no heading")
    assert parse_markdown(path).title == "notes"


def test_no_random_markup_breaks_the_map_or_loses_a_letter():
    pieces = ["a", "b ", "*", "_", "`", "```\n", "[", "](", ")", "#", "\n", "- ", "|", "--|", ">"]
    pieces += ["<!--", "-->", "&amp;", "\\", "~~", "---\n", "  ", "1. ", "![", "\u00ad"]
    rng = random.Random(5)
    for _ in range(400):
        source = "".join(rng.choices(pieces, k=rng.randrange(40)))
        page = clean_markdown(source)
        for clean, stored, length in page.runs:
            assert page.text[clean : clean + length] == source[stored : stored + length]
        if page.text:
            assert page.runs[0][0] == 0
            assert page.runs[-1][0] + page.runs[-1][2] == len(page.text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["`", "[", "[a](", "*a ", "<!--\n", "> ", "|-", "- ", "~~~\n", "[!["]
)
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece):
    clean_markdown(piece * (200_000 // len(piece)))
