"""HTML: what is text and what is not, in which lines, titles, encodings, absurd files."""

import pytest

from armt_core.errors import LimitExceeded, ParseError
from ingest.cleaning import clean_document
from ingest.parse import parse_file
from ingest.runs import to_page_span
from tests.pdf_makers import written


@pytest.fixture
def parse(tmp_path):
    def parse(html, name="page.html", **settings):
        data = html if isinstance(html, bytes) else html.encode()
        return parse_file(written(tmp_path, name, data), **settings)

    return parse


@pytest.fixture
def text(parse):
    return lambda html: parse(html).pages[0].text


def test_a_page_of_html_is_one_page_of_blocks_with_white_space_collapsed(parse):
    document = parse(
        "<html><head><title>Tide  Tables</title></head><body><h1>The <em>Tide</em></h1>"
        "<p>It comes\n   in twice.<br>And goes.</p><div>A line</div><div>Another</div></body>"
    )
    assert (document.title, document.format) == ("Tide Tables", "html")
    (page,) = document.pages
    assert (page.number, page.label, page.needs_ocr) == (0, None, False)
    assert page.text == "The Tide\n\nIt comes in twice.\nAnd goes.\n\nA line\nAnother"


def test_scripts_styles_navigation_controls_and_hidden_parts_are_no_text(text):
    hidden = [
        "<script>var a = 1 < 2;</script>", "<style>p {}</style>", "<nav>Home</nav>",
        "<template><p>x</p></template>", "<noscript>x</noscript>", "<svg><text>x</text></svg>",
        "<select><option>x</option></select>", "<button>x</button>", "<textarea>x</textarea>",
        "<div hidden>x</div>", '<div style="color:red; DISPLAY : none">x</div>',
        '<p aria-hidden="true">x</p>', '<div role="navigation">x</div>', "<!-- x -->",
        '<span style="visibility:hidden"><b>x</b></span>',
    ]  # fmt: skip
    for part in hidden:
        assert text(f"<p>before {part} after</p>").split() == ["before", "after"], part


def test_lists_have_their_marks_and_tables_a_line_a_row(text):
    assert text(
        "<ul><li>fish<li><p>boats</p><ul><li>small</ul></ul><ol start=3><li>c<li>d</ol><p>end"
    ) == ("- fish\n- boats\n  - small\n\n3. c\n4. d\n\nend")
    assert text(
        "<table><caption>Rents</caption><tr><th>Year<th><p>Sum</p></tr>"
        "<tr><td>2024 </td><td><div>1,200&nbsp;€</div></td></tr><tr><td></td><td>7</td></table>x"
    ) == ("Rents\n\nYear\tSum\n2024\t1,200\xa0€\n\t7\n\nx")


def test_where_a_table_lays_out_a_page_its_cells_are_blocks(text):
    long = "A sentence that goes on. " * 14
    assert text(f"<table><tr><td>menu</td><td>{long}</td></tr></table>") == (
        f"menu\n{long.strip()}"
    )
    assert text("<table><tr><td><ul><li>a<li>b</ul></td><td>c</td></tr></table>") == (
        "- a\n- b\n\nc"
    )


def test_preformatted_text_keeps_its_lines_and_spaces(text):
    assert text("<p>code:</p><pre>if x:\n    go()\n\n\tstop</pre>then") == (
        "code:\n\nif x:\n    go()\n\n    stop\n\nthen"
    )


def test_entities_are_characters_and_markup_in_text_stays_text(text):
    assert text("<p>&lt;b&gt; &amp; &eacute; &#8364; &nosuch;</p>") == "<b> & é € &nosuch;"


def test_the_title_is_the_pages_else_its_first_heading_else_the_files(parse):
    assert parse("<title>Untitled</title><h1>On <i>Tides</i></h1>x").title == "On Tides"
    assert parse("<title>index.html</title><p>x").title == "page"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("<p>Größe".encode(), "Größe"),
        (b'<meta charset="iso-8859-1"><p>' + "Größe".encode(), "Größe"),  # a wrong claim
        (b"<meta charset=windows-1251><p>" + "Волна".encode("cp1251"), "Волна"),
        (b'<?xml version="1.0" encoding="shift_jis"?><p>' + "潮の時間".encode("cp932"), "潮の時間"),
        (b"<meta charset=latin1><p>\x93so\x94", "“so”"),  # as browsers take it
        ("<p>Größe".encode("utf-16"), "Größe"),
        (b"<meta charset=unicode_escape><p>\\x41 Gr\xf6\xdfe und Ma\xdfe", "\\x41 Größe und Maße"),
    ],
)  # fmt: skip
def test_every_usual_encoding_is_read(text, data, expected):
    assert text(data) == expected


def test_what_holds_no_text_is_refused(parse):
    for html in ("<script>x</script>", "<html></html>", "<!-- x -->", '<img src="a.png" alt="x">'):
        with pytest.raises(ParseError, match=r"page\.html holds no text"):
            parse(html)
    with pytest.raises(ParseError, match="empty"):
        parse("")


def test_absurd_pages_have_an_outcome(parse, text):
    with pytest.raises(LimitExceeded, match="2,048 deep"):
        parse("<p>first</p>" + "<div>" * 5000 + "deep")
    assert text("<b>" * 1500 + "x") == "x"
    assert len(text("<p>" + "x" * 11_000_000)) == 11_000_000
    assert text("<" * 1000 + "p>x").count("<") == 999
    assert text("<li>" * 50_000 + "x</table></td></tr></ul></p>y").split() == ["-", "xy"]


def test_nothing_outside_the_page_is_fetched_or_expanded(parse):
    html = (
        '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/hostname"><!ENTITY b "bomb">]>'
        '<p>&a;&b;</p><img src="http://192.0.2.1/x.png"><iframe src="http://192.0.2.1/"></iframe>'
    )
    assert "&a;&b;" in parse(html).pages[0].text


def test_every_block_is_a_line_of_the_cleaned_view_and_leads_back(parse):
    document = parse("<p>The of\ufb01ce opens\u00a0at nine.</p><ul><li>Mon<li>Tue</ul>")
    (page,) = document.pages
    (clean,) = clean_document(document)
    assert clean.text == "The office opens at nine.\n- Mon\n- Tue"
    start = clean.text.index("office")
    span = to_page_span(clean.runs, start, start + len("office opens"))
    assert page.text[slice(*span)] == "of\ufb01ce opens"
