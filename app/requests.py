"""Questions that come in as JSON: whether their parts are what they should be."""

from typing import Any

from armt_core.errors import UsageError

#: Most characters of a question from the page or the API.
MOST_CHARACTERS = 4000


def check_length(question: str) -> None:
    """Raises UsageError for a question that is too long."""
    if len(question) > MOST_CHARACTERS:
        raise UsageError(
            f"A question may have {MOST_CHARACTERS:,} characters; this one has {len(question):,}."
        )


def check_text(text: str) -> None:
    """Raises UsageError for what UTF-8 cannot say: half a character, or bytes that were no text."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"This is not UTF-8 text: {error.reason}.") from error


def check_request(request: dict[str, Any]) -> None:
    """Raises UsageError for a part of another type. question and documents are text, too."""

    def whole(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    documents = request["documents"]
    checks = {
        "question": isinstance(request.get("question"), str),
        "documents": documents is None
        or (isinstance(documents, list) and all(isinstance(d, str) for d in documents)),
        "as_of_page": request["as_of_page"] is None or whole(request["as_of_page"]),
        "memory": isinstance(request["memory"], str),
        "k": whole(request["k"]),
    }
    for name, good in checks.items():
        if not good:
            raise UsageError(f"{name!r} has the wrong type: {request.get(name)!r}.")
    for said in (request["question"], *(documents or ())):
        check_text(said)
