"""Plain text in any encoding becomes pages of stored text."""

import os
from pathlib import Path

import pytest

from armt_core.errors import ParseError
from ingest.parse import parse_file
from ingest.text_files import parse_text, read_text

FRENCH = "Le café crème est déjà prêt, où êtes-vous ?\n"
GERMAN = "Schöne Grüße aus München, 50 € bitte!\n"
POLISH = "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i praw.\n"
CZECH = "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv.\n"
TURKISH = "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.\n"
RUSSIAN = "Съешь ещё этих мягких французских булок, да выпей чаю.\n"
GREEK = "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.\n"
HEBREW = "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.\n"
ARABIC = "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.\n"
JAPANESE = "これは日本語の文章です。文字コードを判定します。\n"
CHINESE = "这是一个中文文本文件，用来测试编码的识别。今天天气很好。\n"
KOREAN = "이것은 한국어 텍스트입니다. 인코딩을 확인합니다.\n"


def written(folder: Path, data: bytes, name: str = "notes.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("times", [1, 300])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "utf-32"),
        (FRENCH, "cp1252"),
        (FRENCH, "mac_roman"),
        (GERMAN, "cp1252"),
        ("He said “hello” — it’s fine.\n", "cp1252"),
        ("café\n", "latin-1"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859_2"),
        (CZECH, "cp1250"),
        (TURKISH, "cp1254"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "utf-16-le"),
        ("Привет, мир!\n", "koi8_r"),
        (GREEK, "cp1253"),
        (HEBREW, "cp1255"),
        (ARABIC, "cp1256"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (JAPANESE, "utf-16-le"),
        (CHINESE, "gb18030"),
        (CHINESE, "utf-16-be"),
        (KOREAN, "euc_kr"),
    ],
)
def test_text_of_any_common_encoding_is_read_as_it_was_written(tmp_path, text, encoding, times):
    path = written(tmp_path, (text * times).encode(encoding))
    assert read_text(path) == text * times


def test_a_few_damaged_bytes_do_not_make_utf8_another_encoding(tmp_path):
    path = written(tmp_path, GERMAN.encode() * 20 + b"\xff end")
    assert read_text(path) == GERMAN * 20 + "\ufffd end"


def test_line_ends_are_line_feeds_and_nul_is_the_replacement_character(tmp_path):
    path = written(tmp_path, b"one\r\ntwo\rthree\n" + b"long line " * 20 + b"\0end")
    assert read_text(path) == "one\ntwo\nthree\n" + "long line " * 20 + "\ufffdend"


def test_a_form_feed_parts_pages_and_belongs_to_none(tmp_path):
    document = parse_text(written(tmp_path, b"first\n\fsecond\n\f", "two pages.txt"))
    assert [(p.number, p.label, p.text) for p in document.pages] == [
        (0, None, "first\n"),
        (1, None, "second\n"),
    ]
    assert (document.title, document.format) == ("two pages", "text")


def test_a_blank_page_between_others_keeps_its_number(tmp_path):
    document = parse_text(written(tmp_path, b"first\f\fthird"))
    assert [page.text for page in document.pages] == ["first", "", "third"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty (0 bytes)"),
        (b" \n\t\n", "only white space"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\x03\0>\0\x01\0\0\0" * 50, "not text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\x08\x06" * 9, "not text"),
        (bytes(range(256)) * 40, "not text"),
        (b"dots \x01\x02 and \x03 dashes\n" * 9, "not text: it is full of control characters"),
    ],
)
def test_what_is_no_text_is_refused_with_words(tmp_path, data, words):
    with pytest.raises(ParseError) as refused:
        read_text(written(tmp_path, data))
    assert words in str(refused.value)
    assert "notes.txt" in str(refused.value)


@pytest.mark.skipif(os.name == "nt", reason="names are UTF-16 there")
def test_a_name_that_is_not_utf8_gives_a_title_that_can_be_stored(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_bytes(b"text")
    title = parse_text(path).title
    assert title == "caf\ufffd"
    title.encode()


def test_one_stray_control_character_does_not_make_a_short_note_no_text(tmp_path):
    assert (
        read_text(written(tmp_path, b"A short note with one\0 stray byte.\n")).count("\ufffd") == 1
    )


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("   .txt", ".txt"),
        (".txt", ".txt"),
        ("r\u202etxt.exe.txt", "rtxt.exe"),
        ("new\nline\x1b[31m.txt", "new line[31m"),
    ],
)
def test_a_title_is_one_line_in_which_nothing_acts_and_never_empty(tmp_path, name, title):
    path = tmp_path / name
    path.write_text("The llama sleeps.", encoding="utf-8")
    assert parse_file(path).title == title
