"""Make the PDF files of ``examples/corpus`` from the texts in ``examples/sources``.

Run ``python examples/make_corpus.py`` after changing a text. The same sources give the same
bytes: dates are fixed, nothing is compressed, and the scan is a picture that is already drawn.

Marks in the sources, at the start of a line: ``! `` title, ``!! `` subtitle, ``# `` and ``## ``
headings, ``% `` the heading of an abstract, ``@page NAME`` a new page with this running head,
``@table NAME`` a table of ``tables.json``, ``@figure NAME`` a drawing. All else is prose.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ligatures import LIGATURES, name_ligatures
from typesetting import SOURCES, Paper, draw_bars, draw_table, soft_hyphenate, two_columns

CORPUS = Path(__file__).parent / "corpus"
FRONT_PAGES = 6  # the sheets of the handbook with roman numbers
A5, B5 = (148.0, 210.0), (176.0, 250.0)  # millimetres


def blocks(*names: str) -> Iterator[tuple[str, str]]:
    """Every line of the named sources as (mark, text); prose has the mark ``""``."""
    for name in names:
        for line in (SOURCES / name).read_text(encoding="utf-8").splitlines():
            match = re.match(r"(!!?|##?|%|@\w+) +(.*)", line)
            if match:
                yield match.group(1), match.group(2)
            elif line:
                yield "", line


def handbook() -> Paper:
    title = "Handbook and Service Record of the Ellermouth Tidal Power Station"
    pdf = Paper(title, "Eller Tidal Board", A5, 17)
    pdf.numbered = pdf.get_page_label
    count = 0
    for mark, text in blocks(*(f"handbook-{part}.txt" for part in range(1, 6))):
        if mark == "@page":
            pdf.running_head = f"Ellermouth Tidal Power Station  |  {text}" if count else ""
            front = count < FRONT_PAGES
            start = 1 if count in (0, FRONT_PAGES) else None
            pdf.add_page(label_style="r" if front else "D", label_start=start)
            count += 1
        elif mark in ("!", "#"):
            pdf.say(text, "Helvetica", "B", 17 if mark == "!" else 12.5, 3)
        elif mark == "!!":
            pdf.say(text, "Helvetica", "I", 10, 6)
        else:
            pdf.say(text, "Times", "", 11.2, 2.2)
    return pdf


def paper() -> Paper:
    parts = list(blocks("paper.txt"))
    pdf = Paper(parts[0][1], "Vandermark, Okell and Farrant", B5, 19)
    pdf.add_page()
    pdf.running_head = "Vandermark, Okell and Farrant: Counting Birds in the Dark"
    pdf.say(parts[0][1], "Helvetica", "B", 18, 3)
    pdf.say(parts[1][1], "Helvetica", "I", 10.5, 5)
    run: list[tuple[str, str]] = []
    for mark, text in [*parts[2:], ("@end", "")]:
        if not mark.startswith("@"):
            run.append((mark, text))
            continue
        two_columns(pdf, run)
        run = []
        if mark == "@table":
            draw_table(pdf, text, 9)
        elif mark == "@figure":
            draw_bars(pdf)
    return pdf


def accounts() -> Paper:
    pdf = Paper(
        "Dunmarrow Water Cooperative: Annual Report and Accounts 2022",
        "Dunmarrow Water Cooperative",
        "A4",
        25,
    )
    fresh = {"Water won", "Quality", "Income", "Balance", "Outlook"}
    for mark, text in blocks("accounts.txt"):
        if mark == "!":
            pdf.add_page()
            pdf.say(text, "Helvetica", "B", 22, 4)
        elif mark == "!!":
            pdf.say(text, "Helvetica", "I", 11, 8)
        elif mark == "#":
            pdf.running_head = "Dunmarrow Water Cooperative 2022"
            if any(text.startswith(name) for name in fresh):
                pdf.add_page()
            pdf.say(text, "Helvetica", "B", 14, 3)
        elif mark == "@table":
            draw_table(pdf, text)
        else:
            pdf.say(text, "Times", "", 12, 3)
    return pdf


def minutes() -> Paper:
    pdf = Paper("Fennick Town Council: Minutes of 14 October 2014", "Leonard Affleck", "A4", 27)
    pdf.set_left_margin(58)  # room for notes in the margin, as the clerk likes it
    pdf.add_page()
    for mark, text in blocks("minutes.txt"):
        text = soft_hyphenate(text)
        for letters, byte in LIGATURES.items():
            text = text.replace(letters, byte)
        if mark == "!":
            pdf.say(text, "Times", "B", 20, 2)
        elif mark == "!!":
            pdf.say(text, "Times", "I", 12, 6)
        elif mark == "#":
            pdf.say(text, "Times", "B", 12.5, 1)
        else:
            pdf.say(text, "Times", "", 12, 2.5)
    return pdf


def scan() -> Paper:
    pdf = Paper("Certificate of inspection (scan)", "Gannet Stack Lighthouse Service", "A4", 0)
    pdf.numbered = lambda: ""
    pdf.add_page()
    pdf.image(SOURCES / "scan.jpg", 0, 0, pdf.w, pdf.h)
    return pdf


PDFS: dict[str, Callable[[], Paper]] = {
    "ellermouth-handbook.pdf": handbook,
    "night-migration-paper.pdf": paper,
    "dunmarrow-water-accounts-2022.pdf": accounts,
    "fennick-council-minutes.pdf": minutes,
    "light-float-certificate-scan.pdf": scan,
}


def build(folder: Path) -> list[Path]:
    """Write every PDF of the corpus into ``folder`` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in PDFS.items():
        content = bytes(make().output())
        if make is minutes:
            content = name_ligatures(content)
        (folder / name).write_bytes(content)
        written.append(folder / name)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the PDF files of the example corpus.")
    parser.add_argument("--output", type=Path, default=CORPUS, help="folder to write to")
    for path in build(parser.parse_args().output):
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
