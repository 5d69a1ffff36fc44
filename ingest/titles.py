"""Which of the titles that files give themselves are titles."""

import re

from ingest.parsed import one_line

_LONGEST_TITLE = 300
_FILE_NAME = re.compile(
    r"\S*[^\s.]\.(?:pdf|docx?|dotx?|odt|epub|rtf|txt|html?|xml|tex|dvi|e?ps|pptx?|xlsx?|indd|qxd|pmd|p65"
    r"|fm|pub|cdr|ai|wpd|wps|md|jpe?g|png|tiff?|vsdx?|dwg)"
    r"|.*[/\\].*\.\w{2,4}",
    re.IGNORECASE,
)
_NO_TITLE = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel|office)|powerpoint)\b.*|untitled\W*\w{0,8}"
    r"|(?:title|unbenannt|sans titre|sin t[ií]tulo|document|dokument|layout|presentation|slide"
    r"|contents|table of contents|print|scan|scanned document|new document|no title|none|null|book"
    r"|cover|body)[\s_-]*\d*",
    re.IGNORECASE,
)


def good_title(title: str | None) -> str | None:
    """The title from metadata if it looks like one, else None."""
    plain = one_line(title or "")
    if (
        not any(character.isalpha() for character in plain)
        or len(plain) > _LONGEST_TITLE
        or _NO_TITLE.fullmatch(plain)
        or _FILE_NAME.fullmatch(plain)
    ):
        return None
    return plain
