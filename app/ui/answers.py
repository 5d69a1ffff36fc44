"""A conversation and its answers as HTML. Everything from a document goes through `escape`."""

from collections.abc import Mapping, Sequence
from html import escape

from app.conversing import Turn
from app.results import Answer, Citation, FoundPassage, Sides
from app.ui.render import beginning, citation_name, count

#: Passages shown where nothing was found.
NEAREST = 3
#: Citations that score less are folded away.
WEAK = 0.05


def citations_of(answer: Answer | None) -> tuple[Citation, ...]:
    """What an answer shows: its citations, or what told memory, and the nearest passages."""
    if answer is None:
        return ()
    told = (answer.since,) if answer.since else ()
    known = {citation.passage_id for citation in told}
    nearest = [citation for citation in answer.nearest if citation.passage_id not in known]
    return answer.citations or (*told, *nearest[:NEAREST])


def conversation_html(
    turns: Sequence[Turn], titles: Mapping[str, str], pending: str | None = None, said: str = ""
) -> str:
    """Question and answer, the last one first, below the box that asks. titles: of documents, by
    id. pending: what was asked and is not kept yet, with the HTML of what is known of its answer
    or why there is none."""
    shown = [
        f'<section class="turn">{_question_html(turn.question)}{_answer(n, turn, titles)}</section>'
        for n, turn in enumerate(turns)
    ]
    if pending is not None:
        shown.append(f'<section class="turn">{_question_html(pending)}{said}</section>')
    told = "".join(reversed(shown))
    return f'<div class="conversation" aria-live="polite">{told}</div>' if shown else ""


def reading_html(passages: Sequence[FoundPassage] = ()) -> str:
    """What is read for an answer: passages as soon as they are found."""
    rows = "".join(
        f"<li>{escape(beginning(passage.text, 120))} "
        f'<span class="source">{escape(citation_name(passage))}</span></li>'
        for passage in passages
    )
    what = f"Reading {count(len(passages), 'passage')} …" if passages else "Looking …"
    return f'<p class="pending" role="status">{what}</p>' + (
        f'<ul class="reading">{rows}</ul>' if rows else ""
    )


def _question_html(question: str) -> str:
    return f'<p class="question">{escape(question)}</p>'


def _answer(number: int, turn: Turn, titles: Mapping[str, str]) -> str:
    if turn.pending:
        return '<p class="confidence">No answer is kept yet. If none comes, ask again.</p>'
    if turn.answer is None:
        return '<p class="confidence">Its answer quoted a document that was deleted.</p>'
    return answer_html(turn.answer, number) + _aside(turn.answer, titles)


def answer_html(answer: Answer, turn: int) -> str:
    """The answer and its quotes, or that there is none."""
    if answer.source == "memory" and answer.answer is not None:
        return _by_memory_html(answer, answer.answer, turn)
    listed = citations_of(answer)
    strong = [n for n, citation in enumerate(listed) if n == 0 or citation.score >= WEAK]
    shown = strong if answer.citations else range(len(listed))
    quotes = "".join(_quote_html(turn, n, listed[n]) for n in shown)
    if folded := "".join(
        _quote_html(turn, n, citation) for n, citation in enumerate(listed) if n not in shown
    ):
        more = count(len(listed) - len(shown), "weaker passage")
        quotes += f"<details><summary>{more}</summary>{folded}</details>"
    if not answer.found or answer.answer is None:
        nearest = f"<p>The nearest passages, in case they help:</p>{quotes}" if quotes else ""
        return (
            '<div class="answer not-found"><p class="verdict">Not found in these documents.</p>'
            f"{nearest}</div>"
        )
    verdict = f'<p class="verdict">{escape(answer.answer)}</p>'
    confidence = f'<p class="confidence">Confidence {answer.confidence:.0%}</p>'
    return f'<div class="answer">{verdict}{confidence}{quotes}</div>'


def _by_memory_html(answer: Answer, said: str, turn: int) -> str:
    """What memory said and how sure it is, what told it, and the nearest passages."""
    quotes = [_quote_html(turn, n, one) for n, one in enumerate(citations_of(answer))]
    told = 1 if answer.since else 0
    since = f"<p>It says so since it read this:</p>{quotes[0]}" if told else ""
    nearest = "".join(quotes[told:])
    nearest = f"<p>The nearest passages, to look it up:</p>{nearest}" if nearest else ""
    return (
        f'<div class="answer"><p class="verdict">{escape(said)}</p>'
        '<p class="confidence">From memory alone, surer than any passage · confidence '
        f"{answer.confidence:.0%}</p>{since}{nearest}</div>"
    )


def _quote_html(turn: int, number: int, citation: Citation) -> str:
    """A quote that is a button: it opens its page."""
    quote = " ".join(citation.quote.split())
    return (
        f'<button type="button" class="citation" data-turn="{turn}" data-citation="{number}">'
        f'<span class="quote" dir="auto">{escape(quote)}</span><span class="source">{number + 1} · '
        f"{escape(citation_name(citation))} · {citation.score:.0%}{_copies(citation)}"
        "</span></button>"
    )


def _copies(item: Citation | FoundPassage) -> str:
    """Where the same passage stands in other documents."""
    return f" · also in {escape('; '.join(map(citation_name, item.also)))}" if item.also else ""


def _aside(answer: Answer, titles: Mapping[str, str]) -> str:
    """What memory alone says beside an answer from passages."""
    said = answer.memory_answer
    if said is None or answer.source == "memory":
        return ""
    title = titles.get(said.document_id, "a document")
    return (
        f'<p class="aside">The memory of “{escape(title)}” alone says: <b>{escape(said.text)}</b> '
        f"· confidence {said.confidence:.0%}</p>"
    )


#: What is said above an answer whose conversation was gone when it came.
MOVED = (
    '<p class="confidence" role="status">The conversation was deleted, here or in another tab. '
    "This answer is kept in a new one.</p>"
)
#: What is said of memory alone where it is not asked.
UNTRAINED = (
    "This model's memory is not trained yet: it is written and kept while reading, but it "
    "answers nothing by itself, and answers are the same with it and without."
)
NOT_ASKED = "This model gives no answers from memory alone."


def comparison_html(final: Sides, empty: Sides, unasked: str | None, threshold: float) -> str:
    """What passages say, what memory alone says, and what an emptied one would have said, side by
    side. unasked: why memory alone is not asked; threshold: below which its answer counts as
    nothing."""
    said, would_say = _verdict(final.passages), _verdict(empty.passages)
    emptied = unasked or _remembered(empty.whole, threshold)
    if would_say != said:  # a model whose vectors or reader read the memory
        emptied += f"<br>Passages would say: {would_say}"
    return (
        f'<p class="confidence">{escape(final.whole.question)}</p><div class="comparison">'
        f"{_column('Passages say', said)}"
        f"{_column('Memory alone says', unasked or _remembered(final.whole, threshold))}"
        f"{_column('An emptied memory says', emptied)}</div>"
    )


def _column(head: str, said: str) -> str:
    return f"<div><h4>{head}</h4><p>{said}</p></div>"


def _verdict(answer: Answer) -> str:
    """What the best passage says. answer: from passages."""
    if answer.source != "passage" or answer.answer is None:
        return "Nothing that reaches the threshold."
    where = escape(citation_name(answer.citations[0]))
    return f"<b>{escape(answer.answer)}</b><br>{where} · {answer.confidence:.0%}"


def _remembered(answer: Answer, threshold: float) -> str:
    said = answer.memory_answer
    if said is None:
        return "Nothing."
    if said.confidence < threshold:
        return (
            f"Nothing that reaches the threshold.<br>It would have said “{escape(said.text)}”, "
            f"confidence {said.confidence:.0%} of the {threshold:.0%} that it takes."
        )
    return f"<b>{escape(said.text)}</b><br>confidence {said.confidence:.0%}"
