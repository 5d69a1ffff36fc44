"""Mutated files of our own: good ones of every format, harmed at random by a seed.

`python -m tests.fuzzing FIRST COUNT` harms many and prints what became of them.
"""

import io
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

from armt_core.errors import RecollectError
from ingest.child import ParserPool
from ingest.limits import ParseLimits
from tests.book_makers import chapter, docx_bytes, epub_bytes, paragraph, word_table, zipped
from tests.pdf_makers import encrypted, pdf_bytes, pdf_of_codes, rewritten, turned

LIMITS = ParseLimits(seconds=20, memory_bytes=400 * 2**20)
_TEXT = "The harbour light burns all night. Nobody may enter the tower after dark. " * 8
_TOKENS = (
    b"<<", b">>", b"[", b"]", b"(", b"stream\n", b"endstream", b"endobj", b"obj", b"null", b"-1",
    b"99999999999", b"1 0 R", b"2 0 R", b"/Kids", b"/Length", b"/Filter/FlateDecode", b"%%EOF",
    b"<", b"</", b"/>", b"<!--", b"<![CDATA[", b"&#0;", b"&#xD800;", b"<table><tr><td>", b"<pre>",
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"PK\x03\x04", b"<w:p>", b"xmlns=", b"\xed\xa0\x80",
)  # fmt: skip


def bases() -> dict[str, bytes]:
    """Good files by name."""

    def labelled(writer):
        writer.set_page_label(0, 1, "/r", start=3)
        writer.compress_identical_objects()

    plain = pdf_bytes(_TEXT, "", _TEXT[:200], title="A Title")
    chapters = {
        "a.xhtml": chapter(f"<h1>One</h1><p>{_TEXT}</p><ul><li>x</li><li>y</li></ul>"),
        "b.xhtml": chapter(f"<h1>Two</h1><table><tr><td>1</td><td>{_TEXT}</td></tr></table>"),
    }
    contents = {"a.xhtml": "One", "b.xhtml#x": "Two"}
    html = f"<title>T</title><h1>Tides</h1><p>{_TEXT}<ol><li>x</ol><pre>\n a\n</pre>é"
    word = paragraph("One", "Heading1") + paragraph(_TEXT) + word_table([["a", "b"], ["c", "d"]])
    return {
        "plain.pdf": plain,
        "labelled.pdf": rewritten(plain, labelled),
        "locked.pdf": encrypted(plain, ""),
        "turned.pdf": turned(plain, 90, (20, 300, 400, 830)),
        "codes.pdf": pdf_of_codes(b"fEx", {b"f": b"0066", b"E": b"D83DDE00", b"x": b"0002"}),
        "page.html": (html * 3).encode(),
        "letter.docx": docx_bytes(word, title="A Letter"),
        "book.epub": epub_bytes(chapters, contents=contents, old_contents=contents),
        "notes.md": f"# Notes\n\n{_TEXT}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n".encode(),
        "log.txt": f"{_TEXT}\f{_TEXT}\n".encode("utf-16"),
    }


def harmed(data: bytes, rng: random.Random) -> bytes:
    """The file after one to four harms; those of an archive may be within its parts."""
    if data.startswith(b"PK") and rng.random() < 0.7:
        with ZipFile(io.BytesIO(data)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        for name in rng.sample(list(parts), rng.randint(1, 2)):
            parts[name] = harmed(parts[name], rng)
        if rng.random() < 0.1:
            parts.pop(rng.choice(list(parts)))
        return zipped(dict(parts))
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(_HARMS)(bytearray(data), rng)
    return data


def _flip(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 3, 30)) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randint(0, len(data))])


def _drop(data: bytearray, rng: random.Random) -> bytes:
    start, end = _block(data, rng)
    return bytes(data[:start] + data[end:])


def _repeat(data: bytearray, rng: random.Random) -> bytes:
    start, end = _block(data, rng)
    return bytes(data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:])


def _swap(data: bytearray, rng: random.Random) -> bytes:
    (a, b), (c, d) = sorted((_block(data, rng), _block(data, rng)))
    if b > c:
        return bytes(data)
    return bytes(data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:])


def _insert(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return bytes(data[:at] + rng.choice(_TOKENS) * rng.choice((1, 1, 300)) + data[at:])


def _number(data: bytearray, rng: random.Random) -> bytes:
    """Another digit for one digit: offsets, counts, lengths and references go wrong."""
    places = [index for index, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    for place in rng.sample(places, min(len(places), rng.choice((1, 5)))):
        data[place] = rng.randrange(0x30, 0x3A)
    return bytes(data)


_HARMS: tuple[Callable[[bytearray, random.Random], bytes], ...] = (
    _flip, _cut, _drop, _repeat, _swap, _insert, _number,
)  # fmt: skip


def _block(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((4, 64, 500)))


def outcome_of(pool: ParserPool, path: Path) -> str:
    """ "added", or the reason of the failure. What is parsed must be fit to be stored."""
    try:
        document = pool.submit(path).result()
    except RecollectError as error:
        return str(error) or "no reason"
    for number, page in enumerate(document.pages):
        assert page.number == number
        assert "\0" not in page.text
        page.text.encode()
        (page.label or "").encode()
    assert document.pages and document.title.strip() and document.title.encode()
    return "added"


def main() -> None:
    """Harms every base with each seed of a range and counts the outcomes."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    outcomes: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp(prefix="fuzzed-"))
    with ParserPool(1, LIMITS) as pool:
        for seed in range(first, first + count):
            for name, data in bases().items():
                path = folder / f"{seed}-{name}"
                path.write_bytes(harmed(data, random.Random(f"{seed} {name}")))
                outcome = outcome_of(pool, path).replace(path.name, f"*{path.suffix}")
                outcomes[outcome if outcome != "added" else f"added {path.suffix}"] += 1
                if "broke" in outcome or "took" in outcome:
                    sys.stdout.write(f"{path}: {outcome}\n")
    for outcome, number in outcomes.most_common():
        sys.stdout.write(f"{number:5} {outcome}\n")


if __name__ == "__main__":
    main()
