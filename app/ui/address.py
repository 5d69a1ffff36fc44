"""The conversation on the screen stands in the address of the page: loaded again, or opened from a
bookmark, it shows it again."""

import gradio as gr

#: In the query of the address.
CONVERSATION = "conversation"

#: Script: writes the id of a conversation into the address, or takes it out.
WRITE = f"""id => {{
  // A new list says that nothing is chosen, before the server was asked for what is named.
  if (!id && !window.conversationShown) return;
  window.conversationShown = true;
  const address = new URL(window.location);
  if (id) address.searchParams.set('{CONVERSATION}', id);
  else address.searchParams.delete('{CONVERSATION}');
  history.replaceState(history.state, '', address);
}}"""


def read(request: gr.Request) -> str | None:
    """The conversation in the address of the page that asks, if there is one."""
    return request.query_params.get(CONVERSATION) or None
