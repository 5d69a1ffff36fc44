"""Typesetting for the example documents: pages, columns, tables, hyphens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.fonts import FontFace

SOURCES = Path(__file__).parent / "sources"
MADE_ON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
FOG_CALLS = (("White, fog", 2240), ("Red, fog", 690), ("White, clear", 905), ("Red, clear", 931))

# Two consonants between vowels part, unless they are one sound ("bo-thering" is wrong).
BREAK = re.compile(r"(?<=[a-z][aeiou])([bcdfglmnprst])(?!h)([bcdfgklmnpqrstv])(?=[aeiou][a-z]{2})")
SUFFIX = re.compile(r"(?<=[a-z]{3})(?=(?:tions?|ments?|ness|ship|ture|sion|less|ful|ly)\b)")
ONE_SOUND = {"ch", "ck", "gh", "ng", "ph", "sh", "th", "qu", "st", "sc", "sp"} | {
    first + second for first in "bcdfgpt" for second in "lr"
}


def soft_hyphenate(text: str) -> str:
    """``text`` with a soft hyphen wherever a long word may part at the end of a line."""

    def part(match: re.Match[str]) -> str:
        pair = match.group(1) + match.group(2)
        return pair if pair in ONE_SOUND else f"{pair[0]}\u00ad{pair[1]}"

    def hyphenate(word: str) -> str:
        return SUFFIX.sub("\u00ad", BREAK.sub(part, word)) if len(word) > 5 else word

    return " ".join(hyphenate(word) for word in text.split(" "))


class Paper(FPDF):
    """A page with a running head and a number at its foot; ``numbered`` gives the number."""

    def __init__(
        self, title: str, author: str, form: str | tuple[float, float], margin: float
    ) -> None:
        super().__init__(format=form)
        self.running_head = ""
        self.numbered: Callable[[], str] = lambda: str(self.page_no())
        self.set_title(title)
        self.set_author(author)
        self.set_lang("en")
        self.set_creation_date(MADE_ON)
        self.set_compression(False)
        self.set_margins(margin, margin)
        self.set_auto_page_break(True, margin)

    def header(self) -> None:
        if not self.running_head:
            return
        self.set_font("Helvetica", "", 7.5)
        self.set_y(self.t_margin - 7)
        self.cell(0, 4, self.running_head, border="B", align="R")
        self.set_y(self.t_margin)

    def footer(self) -> None:
        self.set_font("Times", "", 9)
        self.set_y(-self.t_margin + 4)
        self.cell(0, 5, self.numbered(), align="C")

    def say(self, text: str, font: str, style: str, size: float, after: float = 2.0) -> None:
        """A paragraph in the given type; prose is set to full measure, headings are not."""
        self.set_font(font, style, size)
        full = font == "Times" and not style
        self.multi_cell(
            0,
            size * 0.46,
            text,
            align="J" if full else "L",
            new_x="LMARGIN",
            new_y="NEXT",
        )
        self.ln(after)


def draw_table(pdf: Paper, name: str, size: float = 9.5) -> None:
    """The table ``name`` of ``tables.json``, caption above, numbers to the right."""
    table: dict[str, Any] = json.loads((SOURCES / "tables.json").read_text("utf-8"))[name]
    pdf.ln(1)
    if pdf.will_page_break(size * 0.55 * (len(table["rows"]) + 2)):
        pdf.add_page()
    pdf.say(table["caption"], "Helvetica", "B", size, 1)
    pdf.set_font("Helvetica", "", size)
    aligns = ("LEFT",) + ("RIGHT",) * (len(table["widths"]) - 1)
    with pdf.table(
        table["rows"],
        col_widths=table["widths"],
        width=min(pdf.epw, 1.4 * sum(table["widths"])),
        text_align=aligns,
        borders_layout="HORIZONTAL_LINES",
        headings_style=FontFace(emphasis="BOLD", fill_color=225),
        line_height=size * 0.55,
    ):
        pass
    pdf.ln(4)


def draw_bars(pdf: Paper) -> None:
    """Figure 1 of the paper: calls a night under the two lamps."""
    top, height = pdf.get_y() + 3, 34.0
    wide = pdf.epw / (2 * len(FOG_CALLS))
    pdf.set_font("Helvetica", "", 8)
    for place, (label, calls) in enumerate(FOG_CALLS):
        tall = height * calls / max(value for _, value in FOG_CALLS)
        left = pdf.l_margin + wide * (2 * place + 0.5)
        pdf.set_fill_color(170 if "fog" in label else 215)
        pdf.rect(left, top + height - tall, wide, tall, style="DF")
        pdf.set_xy(left, top + height + 1)
        pdf.cell(wide, 4, label, align="C")
    pdf.set_xy(pdf.l_margin, top + height + 7)
    caption = "Figure 1. Mean number of calls a night at the three outermost counters."
    pdf.say(caption, "Helvetica", "B", 8.5, 3)


def two_columns(pdf: Paper, run: list[tuple[str, str]]) -> None:
    with pdf.text_columns(ncols=2, gutter=8, balance=True, text_align="J") as columns:
        for mark, text in run:
            if mark:
                pdf.set_font("Helvetica", "B", 11 if mark != "##" else 10)
                with columns.paragraph(text_align="L", top_margin=2, bottom_margin=1.5) as heading:
                    heading.write(text)
            else:
                pdf.set_font("Times", "", 11)
                with columns.paragraph(line_height=1.2, bottom_margin=2.2) as prose:
                    prose.write(soft_hyphenate(text))
