"""Draw the scanned page of the corpus: text as a picture, a little crooked and dirty.

The picture is kept beside its text (``sources/scan.jpg``), because another build of the JPEG
encoder gives other bytes, and the corpus is meant to be the same on every machine.
"""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SOURCES = Path(__file__).parent / "sources"
WIDTH, HEIGHT = 1240, 1754  # A4 at 150 dots an inch
MARGIN = 150
INK, PAPER = 40, 238


def draw_scan(text: str) -> Image.Image:
    """A grey picture of ``text``, rotated by 1.3 degrees, with specks and grain."""
    chance = random.Random(1976)
    page = Image.new("L", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(page)
    y = MARGIN
    for line in text.splitlines():
        size = 40 if line.startswith("! ") else 30 if line.startswith("!! ") else 25
        font = ImageFont.load_default(size)
        for piece in textwrap.wrap(line.lstrip("! "), 74) or [""]:
            # A typewriter strikes each line a little differently.
            shade = INK + chance.randrange(30)
            draw.text((MARGIN + chance.randrange(3), y), piece, font=font, fill=shade)
            y += int(size * 1.5)
    draw.ellipse((880, 1430, 1090, 1640), outline=120, width=6)
    draw.text((920, 1515), "RECEIVED", font=ImageFont.load_default(28), fill=125)
    page = page.rotate(1.3, Image.Resampling.BICUBIC, fillcolor=PAPER)
    draw = ImageDraw.Draw(page)
    for _ in range(420):
        x, y = chance.randrange(WIDTH), chance.randrange(HEIGHT)
        radius = chance.choice((1, 1, 1, 2, 3))
        draw.ellipse((x, y, x + radius, y + radius), fill=chance.randrange(60, 200))
    grain = Image.new("L", (WIDTH // 2, HEIGHT // 2))
    grain.putdata([chance.randrange(256) for _ in range(WIDTH // 2 * (HEIGHT // 2))])
    page = Image.blend(page, grain.resize(page.size), 0.05)
    return page.filter(ImageFilter.GaussianBlur(0.7))


def main() -> None:
    text = (SOURCES / "scan.txt").read_text(encoding="utf-8")
    target = SOURCES / "scan.jpg"
    draw_scan(text).save(target, quality=45, optimize=True)
    print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
