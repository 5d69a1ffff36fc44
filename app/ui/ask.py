"""The first view: choose documents, ask, read the answer beside the cited page."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import gradio as gr

from app.conversing import Turn
from app.results import Answer, Memory
from app.service import Service
from app.ui import address, answers, render
from app.ui.choosing import brought_up_to_date, offer_what_is_typed
from app.ui.documents import Shelf
from app.ui.pages import page_html, page_index
from armt_core.errors import RecollectError

BEGIN = '<p class="empty">Answers are quoted, with the page drawn beside them.</p>'
#: Script: Enter that is pressed twice asks once. The box is emptied only when the server answers.
ONCE = """(text, ...others) => {
  const at = Date.now(), last = window.lastAsked, asked = JSON.stringify([text, ...others]);
  window.lastAsked = {asked, at};
  return [last?.asked === asked && at - last.at < 1000 ? null : text, ...others];
}"""
#: Which turn of a conversation, and which of its citations.
At = tuple[int, int]


class AskView:
    """The view over one service, added to the page that is being built.

    `said` holds the turns so far. When the library has changed, the page gives `again` what
    `watched` holds, and sets `refreshed`.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.talk: Any = gr.State(None)  # the id of the conversation in the library
        self.said: Any = gr.State([])
        self.at: Any = gr.State((0, 0))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.empty = gr.HTML(visible=False, elem_id="empty")
                self._add_question()
                self.conversation = gr.HTML(
                    BEGIN, elem_id="conversation", js_on_load=render.on_citation("#page")
                )
            with gr.Column(scale=2, min_width=320, elem_classes="beside"):
                with gr.Row(visible=False, elem_classes="pair") as self.turning:
                    self.previous = gr.Button("‹ Previous citation", elem_id="previous", size="sm")
                    self.following = gr.Button("Next citation ›", elem_id="next", size="sm")
                self.page = gr.HTML(elem_id="page")
        self.refreshed = [
            self.documents, self.empty, self.earlier, self.talk, self.said, self.conversation,
            self.page, self.turning, self.at, self.comparison,
        ]  # fmt: skip
        self._connect()

    def _add_question(self) -> None:
        self.documents = gr.Dropdown(
            label="Documents (none chosen: all)",
            choices=[],
            value=[],
            multiselect=True,
            max_choices=8,
            elem_id="documents",
        )
        self.loaded = gr.HTML(elem_id="loaded", visible=False)
        self.question = gr.Textbox(
            label="Question",
            placeholder="What do you want to know?",
            elem_id="question",
            autofocus=True,
            submit_btn="Ask",
        )
        with gr.Accordion("As of a page, with and without memory", open=False):
            self.as_of = gr.Textbox(
                "", label="As of page (empty: all pages)", elem_id="as-of", max_lines=1
            )
            self.memory = gr.Radio(
                label="Memory",
                choices=[("as read", "final"), ("emptied", "empty")],
                value="final",
                elem_id="memory",
            )
            self.compare = gr.Button("Ask the last question both ways", elem_id="compare")
            self.comparison = gr.HTML(elem_id="comparison")
        with gr.Accordion("Conversations", open=False):
            self.earlier = gr.Dropdown(
                label="Kept in this library", choices=[], value=None, elem_id="earlier"
            )
            with gr.Row(elem_classes="pair"):
                self.new = gr.Button("New conversation", elem_id="new")
                self.forget = gr.Button("Delete this one", variant="stop", elem_id="forget")
            with gr.Row(visible=False, elem_classes="pair") as self.sure:
                self.gone = gr.Button("Delete it for good", variant="stop", elem_id="forget-it")
                self.stays = gr.Button("Keep it", elem_id="keep-it")

    def _connect(self) -> None:
        private: Any = {"api_visibility": "private"}
        drawn = [self.page, self.turning, self.at]
        opened = [self.conversation, *drawn, self.talk, self.said, self.comparison]
        self.reopened = [*opened, self.earlier]
        typed = offer_what_is_typed(self.documents, self.service, lambda shelf: shelf.ready)
        self.watched = [self.documents, self.talk, self.said, self.at, typed]
        self.documents.change(self._load, inputs=self.documents, outputs=self.loaded, **private)
        self.question.submit(
            self._respond,
            inputs=[
                self.question, self.documents, self.as_of, self.memory, self.talk, self.said
            ],
            outputs=[*opened, self.question, self.earlier],
            js=ONCE,
            show_progress="hidden",  # the conversation says how far it is
            trigger_mode="multiple",  # what is asked while an answer is on its way comes next
            **private,
        )  # fmt: skip
        self.conversation.click(self._choose, inputs=self.said, outputs=drawn, **private)
        for button, by in ((self.previous, -1), (self.following, 1)):
            moved: Any = gr.State(by)
            button.click(self._move, inputs=[self.said, self.at, moved], outputs=drawn, **private)
        self.earlier.input(self._open, inputs=self.earlier, outputs=opened, **private)
        self.earlier.change(None, inputs=self.earlier, js=address.WRITE, **private)
        self.new.click(lambda: (*self._open(None), None), outputs=self.reopened, **private)
        self.forget.click(lambda: gr.Row(visible=True), outputs=self.sure, **private)
        self.stays.click(lambda: gr.Row(visible=False), outputs=self.sure, **private)
        forgotten = [*opened, self.earlier, self.sure]
        self.gone.click(self._forget, inputs=self.talk, outputs=forgotten, **private)
        compared = [self.said, self.documents]
        self.compare.click(self._compare, inputs=compared, outputs=self.comparison, **private)

    def _respond(
        self,
        text: str | None,
        chosen: list[str],
        page_number: str,
        mode: Memory,
        talk: str | None,
        turns: list[Turn],
    ) -> Iterator[tuple[Any, ...]]:
        """The question at once, then the passages that are read, what they say, what memory says,
        and the page drawn: each as soon as it is known. text: None asks nothing."""
        stay = gr.skip()
        if text is None:
            yield (stay,) * 9
            return
        titles = self.service.titles()
        asked = None

        def told(said: str, begun: bool = False) -> tuple[Any, ...]:
            html = answers.conversation_html(turns, titles, text, said)
            if asked is None or not begun:
                return html, *(stay,) * 8
            # The comparison goes now and not at the end: the next may be asked for before memory
            # has spoken. The box is free for the next question.
            talk = asked.conversation_id
            return html, stay, stay, stay, talk, stay, "", "", self.conversations(talk)

        try:
            upto = page_index(page_number)
            # Kept before anything is shown: a page may be closed before the answer comes.
            asked = self.service.begin(talk, text)
            yield told(answers.reading_html(), begun=True)
            for step in self.service.steps(text, chosen, upto, mode):
                if isinstance(step, Answer):
                    answer = step
                    yield told(answers.answer_html(step, len(turns)))
                else:
                    yield told(answers.reading_html(step))
            asked = self.service.remember(asked, answer, upto)
        except RecollectError as error:
            if asked is not None:
                self.service.withdraw(asked)
            turns = self._kept(talk)
            refused = answers.conversation_html(turns, titles, text, render.error_html(str(error)))
            drawn = self._draw([], (0, 0))
            yield refused, *drawn, talk, turns, "", text, self.conversations(talk)
            return
        moved = talk is not None and asked.conversation_id != talk
        talk = asked.conversation_id
        turns = self._kept(talk)  # a document may have been deleted meanwhile
        shown = (answers.MOVED if moved else "") + answers.conversation_html(turns, titles)
        drawn = self._draw(turns, (len(turns) - 1, 0))
        yield shown, *drawn, talk, turns, stay, stay, self.conversations(talk)

    def _choose(self, turns: list[Turn], event: gr.EventData) -> tuple[Any, ...]:
        return self._draw(turns, (int(event.turn), int(event.citation)))

    def _move(self, turns: list[Turn], at: At, by: int) -> tuple[Any, ...]:
        listed = answers.citations_of(turns[at[0]].answer) if turns else ()
        return self._draw(turns, (at[0], (at[1] + by) % len(listed)) if listed else at)

    def _open(self, talk: str | None) -> tuple[Any, ...]:
        """A conversation as it was kept; None: a new one."""
        turns: list[Turn] = []
        told = BEGIN
        try:
            if talk is not None:
                turns = self.service.turns(talk)
                told = answers.conversation_html(turns, self.service.titles()) or BEGIN
        except RecollectError as error:
            talk, told = None, render.error_html(str(error))
        return told, *self._draw(turns, (max(0, len(turns) - 1), 0)), talk, turns, ""

    def reopen(self, request: gr.Request) -> tuple[Any, ...]:
        """The conversation that the address of the page names."""
        opened = self._open(address.read(request))
        talk = opened[4]
        return *opened, self.conversations(talk)

    def _forget(self, talk: str | None) -> tuple[Any, ...]:
        if talk is not None:
            with suppress(RecollectError):  # another tab was faster
                self.service.library.delete_conversation(talk)
        return *self._open(None), self.conversations(None), gr.Row(visible=False)

    def _compare(self, turns: list[Turn], chosen: list[str]) -> str:
        """The last question both ways, as of the page that it was asked with."""
        if not turns:
            return render.error_html("Ask a question first.")
        answerer, unasked = self.service.answerer, None
        if not answerer.answers_from_memory:
            unasked = answers.NOT_ASKED if answerer.model.reads_memory else answers.UNTRAINED
        try:
            last = turns[-1]
            final, empty = self.service.compare(last.question, chosen, last.as_of_page)
            return answers.comparison_html(final, empty, unasked, answerer.memory_threshold)
        except RecollectError as error:
            return render.error_html(str(error))

    def _load(self, chosen: list[str]) -> gr.HTML:
        """Opens the memories of what was chosen, so that the first question is a fast one too."""
        if not chosen:
            return gr.HTML("", visible=False)
        try:
            segments, size = self.service.load(chosen)
        except RecollectError as error:
            return gr.HTML(render.error_html(str(error)), visible=True)
        told = (
            f'<p class="confidence">Memory loaded: {render.count(len(chosen), "document")}, '
            f"{render.count(segments, 'segment')} read, {size / 1e6:.1f} MB.</p>"
        )
        return gr.HTML(told, visible=True)

    def _draw(self, turns: Sequence[Turn], at: At) -> tuple[str, gr.Row, At]:
        """The page of a citation, whether there are others to turn to, and where it is."""
        listed = answers.citations_of(turns[at[0]].answer) if at[0] < len(turns) else ()
        shown = ""
        if at[1] < len(listed):
            try:
                shown = page_html(self.service, listed[at[1]])
            except RecollectError as error:
                shown = render.error_html(str(error))
        return shown, gr.Row(visible=len(listed) > 1), at

    def again(
        self, shelf: Shelf, chosen: list[str], talk: str | None, turns: list[Turn],
        at: At, typed: str,
    ) -> tuple[Any, ...]:  # fmt: skip
        """The view once the library has changed. The conversation is left alone unless it has
        changed itself: what quoted a deleted document is gone, another tab may have gone on. A
        question that is being answered is shown by whoever asked it."""
        kept = self._kept(talk)
        stay, gone = gr.skip(), talk is not None and not kept
        view = (
            brought_up_to_date(shelf.ready, chosen, typed),
            gr.HTML(shelf.notice(), visible=bool(shelf.notice())),
            self.conversations(None) if gone else gr.Dropdown(choices=self._earlier()),
        )
        if kept == turns or (kept and kept[-1].pending and kept[:-1] == turns):
            return *view, *(stay,) * 7
        told = answers.conversation_html(kept, self.service.titles()) or BEGIN
        # What was asked when this was called may be answered and shown by now, so what has only
        # gone on stays as it is.
        if kept[: len(turns)] == turns:
            return *view, stay, kept, told, *(stay,) * 4
        return *view, None if gone else stay, kept, told, *self._draw(kept, at), ""

    def _kept(self, talk: str | None) -> list[Turn]:
        """The turns as the library holds them; none of a conversation that is deleted."""
        try:
            return [] if talk is None else self.service.turns(talk)
        except RecollectError:
            return []

    def conversations(self, chosen: str | None) -> gr.Dropdown:
        """The choice of conversations, brought up to date."""
        return gr.Dropdown(choices=self._earlier(), value=chosen)

    def _earlier(self) -> list[tuple[str, str]]:
        kept = self.service.conversations()
        return [(f"{c.title} ({c.updated_at:%Y-%m-%d %H:%M})", c.id) for c in kept]
