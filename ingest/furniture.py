"""Running headers and footers: lines that repeat at the edges of pages.

They stay in the stored text and are left out of the cleaned view alone. A line is
furniture when the same line, numbers aside, stands at the top (or bottom) of at
least three pages and of a third of all pages. A number in it must either stay the
same or count up with the pages, so that the totals at the foot of three invoices
are not taken for one. Where furniture says something (the title of a report), it is
left standing once, where it comes first. A page's outermost line that is nothing but
the page's label is furniture too.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

_DEPTH = 3  # lines looked at on each edge
_LONGEST = 150
_FEWEST_PAGES = 3
_SHARE = 3  # a third
_MOST_NUMBERS = 6
_SAYS = 8  # letters; fewer say nothing ("page 3 of 12")
_NUMBER = re.compile(r"\d{1,9}")
_ROMAN = re.compile(r"(?=.)m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})")
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}

# What a line is without its numbers, and the numbers.
_Shape = tuple[str, tuple[int, ...]]


def furniture_lines(pages: Sequence[Sequence[str]], labels: Sequence[str | None]) -> list[set[int]]:
    """For each page, given as its lines that are not blank, the indices of furniture.

    Never all lines of a page. Furniture is an unbroken stretch from the edge inwards.
    """
    dropped = [
        {index for index in (0, len(lines) - 1) if label and lines and lines[index] == label}
        for lines, label in zip(pages, labels, strict=True)
    ]
    said: set[str] = set()
    for edge in (1, -1) if len(pages) >= _FEWEST_PAGES else ():
        shapes = [[_shape(line) for line in lines[::edge][:_DEPTH]] for lines in pages]
        repeated = _repeated(shapes)
        for number, page_shapes in enumerate(shapes):
            for depth, (text, numbers) in enumerate(page_shapes):
                index = depth if edge == 1 else len(pages[number]) - 1 - depth
                if index in dropped[number]:
                    continue
                if not any(key in repeated for key in _keys(text, numbers, number)):
                    break
                if sum(letter.isalpha() for letter in text) >= _SAYS and text not in said:
                    said.add(text)
                else:
                    dropped[number].add(index)
    return [
        lines if len(lines) < len(page) else set()
        for lines, page in zip(dropped, pages, strict=True)
    ]


def _shape(line: str) -> _Shape:
    if len(line) > _LONGEST:
        return "", ()
    plain = " ".join(line.lower().split())
    if _ROMAN.fullmatch(plain):
        return "#roman", (_roman(plain),)
    numbers = tuple(int(number) for number in _NUMBER.findall(plain))
    if len(numbers) > _MOST_NUMBERS:
        return "", ()
    return _NUMBER.sub("#", plain), numbers


def _roman(numeral: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(
        value if value >= after else -value for value, after in zip(values, following, strict=True)
    )


def _keys(text: str, numbers: tuple[int, ...], page: int) -> list[tuple[str, tuple[str, ...]]]:
    """What the line has in common with the same line on other pages.

    Each of its numbers is either the same there or as far from the page's own number.
    """
    if not text:
        return []
    keys: list[tuple[str, ...]] = [()]
    for value in numbers:
        keys = [(*key, kind) for key in keys for kind in (f"={value}", f"+{value - page}")]
    return [(text, key) for key in keys]


def _repeated(shapes: list[list[_Shape]]) -> set[tuple[str, tuple[str, ...]]]:
    pages_with: dict[str, int] = defaultdict(int)
    for page_shapes in shapes:
        for text in {text for text, _ in page_shapes}:
            pages_with[text] += 1
    needed = max(_FEWEST_PAGES, -(-len(shapes) // _SHARE))
    common: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for number, page_shapes in enumerate(shapes):
        # Each text once a page, and only texts frequent enough to count.
        for text, numbers in dict(page_shapes).items():
            if pages_with[text] >= needed:
                common.update(_keys(text, numbers, number))
    return {key for key, count in common.items() if count >= needed}
