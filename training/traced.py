"""Reading and asking while a memory is learned: fast, and with what is looked up to be seen.

For memory tokens that are "apart": text is read without a gradient and, as it does not depend on
the memory, once for as many segments as one likes. `ArmtModel.run` gives the same numbers.

Axes: L layers, B documents, S segments, T tokens, M memory tokens, K key features, D width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import sdpa_kernel

from armt_core.adapters import Context, Seen
from armt_core.apart import placed, sees, sentences
from armt_core.associative import Write, dpfp, projections, recall
from armt_core.errors import ModelError
from armt_core.masks import attention_bias, positions
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.reads import LayerReads
from training.attention import FORWARD
from training.dual import Writes
from training.rows import Answers

#: Segments that are read together; more would only fall out of the processor's cache.
_TOGETHER = 16
#: A key or query whose cosine with z is lower than this is penalised (`Trace.strays`).
_OVERLAP = 0.15


@dataclass(frozen=True)
class Text:
    """Segments as memory tokens find them. told: (B, T), their `sentences` (armt_core.apart), 0 at
    padding. seen: of each layer."""

    told: Tensor
    seen: tuple[Seen, ...]

    def rows(self) -> list["Text"]:
        """Each of the B segments by itself."""
        return [
            Text(
                self.told[b : b + 1],
                tuple(Seen(s.keys[b : b + 1], s.values[b : b + 1]) for s in self.seen),
            )
            for b in range(len(self.told))
        ]

    @staticmethod
    def together(rows: Sequence["Text"]) -> "Text":
        """Segments of one length T side by side."""
        layers = zip(*(row.seen for row in rows), strict=True)
        return Text(
            torch.cat([row.told for row in rows]),
            tuple(
                Seen(torch.cat([s.keys for s in layer]), torch.cat([s.values for s in layer]))
                for layer in layers
            ),
        )


@torch.no_grad()
@sdpa_kernel(FORWARD)
def texts(model: ArmtModel, ids: Tensor, mask: Tensor) -> list[Text]:
    """Each of N segments as memory tokens find it. ids, mask: (N, T). Raises ModelError for a
    model whose text reads the memory."""
    if model.config.memory_tokens != "apart":
        raise ModelError(
            'Only text beside memory tokens that are "apart" is read without a memory.'
        )
    found = []
    for at in range(0, len(ids), _TOGETHER):
        part, seen = slice(at, at + _TOGETHER), []
        adapter, here, T = model.adapter, mask[part].bool(), ids.shape[1]
        places = positions(here, T)
        text = adapter.place(adapter.tokens(ids[part]), places)
        context = Context(attention_bias(here, T, 0, None, False, False, text.dtype), places)
        for index in range(model.config.num_hidden_layers):
            seen.append(adapter.seen(index, text))
            text = adapter.layer(index, text, context)
        found += Text(sentences(model, ids[part], here), tuple(seen)).rows()
    return found


@dataclass(frozen=True)
class Trace:
    """keys: (L, B, S, M, K), of all that was written, and logits (L, B, S, M) of its beta.
    shares, divisors: (L, B, S, M), as of `armt_core.associative.Met`. strays: how far keys are from
    what was written before, as a mean over all: 0 where each overlaps with z enough. in_order:
    whether the tokens of a segment are written one after the other. queries: (L, B, S, M, K), with
    which the memory tokens themselves read what was there before their segment."""

    keys: Tensor
    logits: Tensor
    shares: Tensor
    divisors: Tensor
    strays: Tensor
    in_order: bool
    queries: Tensor


def read_traced(
    model: ArmtModel,
    segments: Sequence[Text],
    memory: MemoryState | None = None,
    fixed: bool = False,
) -> tuple[MemoryState, Trace]:
    """Reads S segments, each of B documents, after `memory` (None: an empty one).

    The gradient goes back through all of them, and not into `memory`. fixed: nor into keys and
    queries, but for those of the trace.
    """
    L, B = model.config.num_hidden_layers, len(segments[0].told)
    memory = (memory or model.empty_memory(B)).detach()
    before = zip(memory.associations.unbind(), memory.normalizer.unbind(), strict=True)
    layers = [Writes.after(A, z) for A, z in before]
    system = model.associative.system
    if system not in ("armt", "armt-exact"):
        raise ModelError(
            f'Traces are kept of the systems "armt" and "armt-exact", not of {system!r}.'
        )
    of = projections(model.associative)
    delta, count = model.delta("memory"), memory.segments_read
    kept: list[list[Tensor]] = []
    strays: list[Tensor] = []
    for text in segments:
        alive = text.told.any(-1)
        tokens = placed(model, text.told)
        bias = sees(text.told, model.config.num_memory_tokens, tokens.dtype)
        new, queries = [], []
        for index in range(L):
            query = dpfp(functional.linear(tokens, of[index].query.to(tokens.dtype)))
            queries.append(query)
            query, layer, seen = query.detach() if fixed else query, layers[index], text.seen[index]
            through = partial(
                model.adapter.tokens_apart, index, seen, of_tokens=bias, delta=delta[index]
            )
            more = None
            if model.config.reads_in_order:
                # Not under `no_grad`, or autocast would keep weights without a gradient.
                once = through(tokens=layer.recall(tokens, query, system))
                more = layer.found(query, once, of[index], system)
            tokens = through(tokens=layer.recall(tokens, query, system, more))
            # What is written is not read before the next segment.
            put = layers[index].write(tokens, count == 0, alive, of[index], system, fixed)
            new.append(put)
            strays.append(_strays(put[1].keys, layers[index].normalizer, alive & (count > 0)))
        layers = [after for after, _ in new]
        made = [written for _, written in new]
        of_all = [
            (w.keys, query, w.logits, w.met.share, w.met.divisor)
            for w, query in zip(made, queries, strict=True)
        ]
        kept.append([torch.stack(part) for part in zip(*of_all, strict=True)])
        count = count + alive.long()
    state = MemoryState(
        torch.stack([layer.sum() for layer in layers]),
        torch.stack([layer.normalizer for layer in layers]),
        count,
    )
    keys, asked, logits, shares, divisors = (
        torch.stack(part, dim=2) for part in zip(*kept, strict=True)
    )
    in_order = system == "armt-exact"
    strayed = torch.stack(strays).mean()
    return state, Trace(keys, logits, shares, divisors, strayed, in_order, asked)


def read_documents_traced(model: ArmtModel, ids: Tensor, mask: Tensor) -> MemoryState:
    """The memory of B documents, with gradients into what writes it. ids, mask: (B, S, T)."""
    B, S, _ = ids.shape
    rows = texts(model, ids.transpose(0, 1).flatten(0, 1), mask.transpose(0, 1).flatten(0, 1))
    segments = [Text.together(rows[s * B : (s + 1) * B]) for s in range(S)]
    return read_traced(model, segments)[0]


@torch.no_grad()
def read_on(
    model: ArmtModel, segments: Iterable[Text], memory: MemoryState | None = None
) -> MemoryState:
    """The memory after these segments, each of B documents; nothing is learned from them."""
    for text in segments:
        memory, _ = read_one(model, text, memory or model.empty_memory(len(text.told)))
    if memory is None:
        raise ValueError("There is no segment to read.")
    return memory


@torch.no_grad()
def read_one(model: ArmtModel, text: Text, memory: MemoryState) -> tuple[MemoryState, Write]:
    """The memory after a segment of each of B documents, and what was written."""
    tokens = placed(model, text.told)
    bias = sees(text.told, model.config.num_memory_tokens, tokens.dtype)
    reads, delta = LayerReads(memory, model.associative, tokens.dtype), model.delta("memory")
    made = []
    for index, seen in enumerate(text.seen):
        through = partial(
            model.adapter.tokens_apart, index, seen, of_tokens=bias, delta=delta[index]
        )
        before = tokens
        tokens = through(tokens=reads(index, before))
        if model.config.reads_in_order:
            again = reads.again(index, before, tokens)
            tokens = tokens if again is None else through(tokens=again)
        made.append(tokens)
    return model.write(torch.stack(made), memory, text.told.any(-1))


def ask_traced(
    model: ArmtModel, answers: Answers, memory: MemoryState, fixed: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Asks as `training.rows.ask`: hidden states (B, T, D), the queries of every layer
    (L, B, T, K), and how far they are from what was written (`Trace.strays`). fixed: the hidden
    states have no gradient into the queries."""
    adapter, delta = model.adapter, model.delta("answer")
    mask = answers.mask.bool()
    T = mask.shape[1]
    places = positions(mask, T)
    text = adapter.place(adapter.tokens(answers.ids), places)
    bias = attention_bias(mask, T, 0, answers.prefix, False, False, text.dtype)
    context = Context(bias, places)
    queries, strays = [], []
    layers = zip(
        model.associative.query.unbind(),
        memory.associations.unbind(),
        memory.normalizer.unbind(),
        strict=True,
    )
    for index, (w_query, A, z) in enumerate(layers):
        query = dpfp(functional.linear(text, w_query.to(text.dtype)))
        queries.append(query)
        strays.append(_strays(query, z, mask))
        query = query.detach() if fixed else query
        # The rows of one document are read as one long row: its memory is not copied.
        beside, asked = (rows.reshape(len(z), -1, rows.shape[-1]) for rows in (text, query))
        text = recall(beside, asked, A, z, model.associative.system).view_as(text)
        text = adapter.layer(index, text, context, delta[index])
    return adapter.finish(text), torch.stack(queries), torch.stack(strays).mean()


def _strays(rows: Tensor, z: Tensor, counts: Tensor) -> Tensor:
    """Mean shortfall of the cosine between rows (B R, T, K) and z (B, K), from 0 to 1.

    Where z . q is near nothing, what A holds there is divided by nearly nothing: gamma leaves
    features out of z that A gets. counts: (B R,) or (B R, T), which rows count.
    """
    with torch.autocast(rows.device.type, enabled=False):
        counts = counts.view(len(rows), -1).expand(rows.shape[:2]).reshape(len(z), -1).float()
        rows = rows.float().reshape(len(z), -1, z.shape[-1])  # those of one document together
        length = rows.norm(dim=-1) * z.norm(dim=-1)[:, None]
        cosine = (rows @ z.unsqueeze(-1)).squeeze(-1) / (length + 1e-6)
        short = (_OVERLAP - cosine).relu() / _OVERLAP
        return (short * counts).sum() / counts.sum().clamp_min(1)
