"""The configuration of an ARMT: a backbone from `transformers` and its memory."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from transformers import AutoConfig, PretrainedConfig

from armt_core.lowrank import Role

MemoryTokens = Literal["own", "inline", "apart"]
System = Literal[
    "armt",
    "armt-exact",
    "armt-unit-keys",
    "armt-without-gamma",
    "armt-without-delta",
    "rmt",
    "prmt",
    "sliding-window",
    "full-attention",
    "mamba",
]


class ArmtConfig(PretrainedConfig):
    """Sizes of the memory, and the configuration of the backbone inside it.

    backbone: a `transformers` configuration, or its dictionary with `model_type`.
    num_memory_tokens: M, the memory tokens appended after the text of a segment.
    memory_dim: d_mem; keys have K = 6 * d_mem features (DPFP-3).
    segment_tokens: most tokens in a segment, special tokens included.
    memory_tokens: how memory tokens enter the backbone.
        "own": a vector each, added to nothing. BERT gives it no position and no
        LayerNorm, GPT-2 no position; rotary families rotate it as the position
        after the text. Text never attends to it.
        "inline": an input embedding like any other, at the position after the
        text; in a BERT, text and memory tokens attend to each other freely.
        "apart": as "own", each seeing a stretch of the text, and text is read as if there were
        no memory; what is asked of a memory reads it at every position
        (`armt_core.apart`; BERT-like backbones only).
    sentence_ends: token ids that end a sentence, only for memory tokens "apart": a sentence in
        which stretches have their middles is seen by the tokens of these stretches alone.
    reads_in_order: each memory token also reads what those before it in its segment write; only for
        memory tokens "apart" of the system "armt-exact", which writes them in order.
    system: what is handed from segment to segment, and how it is written (docs/memory.md).
        "armt": an associative memory a layer. "armt-exact": memory tokens are written one after the
        other, each exactly as strongly as its beta says. "armt-unit-keys": keys and queries are
        scaled to length 1. "armt-without-gamma": z takes all of each key.
        "armt-without-delta": plain sums, nothing is replaced. "rmt": memory tokens from the last
        layer to the first. "prmt": memory tokens of each layer to the same layer.
        The others have no memory tokens. "sliding-window", "full-attention": keys and values of
        the last `window` tokens, or of all. "mamba": the state of each layer of a Mamba-2.
    window: for the system "sliding-window", how many tokens before it a token sees.
    deltas: the rank of what each role changes of the backbone ("memory", "answer", "reader"); a
        role that is not named uses the backbone as it is. BERT-like backbones only.
    reads_spans: there is a head that finds the answer of a question in a passage.
    answers_from_memory: the weights were trained to answer from memory alone.
        False for a model whose memory parameters are fresh; then no answer is
        ever taken from memory.
    """

    model_type = "armt"
    sub_configs = {"backbone": AutoConfig}  # noqa: RUF012  (the name and type transformers expects)

    def __init__(
        self,
        backbone: PretrainedConfig | dict[str, Any] | None = None,
        num_memory_tokens: int = 16,
        memory_dim: int = 32,
        segment_tokens: int = 256,
        memory_tokens: MemoryTokens = "own",
        sentence_ends: Sequence[int] = (),
        reads_in_order: bool = False,
        system: System = "armt",
        window: int | None = None,
        deltas: dict[Role, int] | None = None,
        reads_spans: bool = False,
        answers_from_memory: bool = False,
        **kwargs: Any,
    ) -> None:
        if backbone is None:
            backbone = AutoConfig.for_model("bert")
        elif isinstance(backbone, dict):
            values = dict(backbone)
            backbone = AutoConfig.for_model(values.pop("model_type"), **values)
        for name, value in (
            ("num_memory_tokens", num_memory_tokens),
            ("memory_dim", memory_dim),
            ("segment_tokens", segment_tokens),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
        if memory_tokens not in get_args(MemoryTokens):
            raise ValueError(
                f"memory_tokens must be one of {get_args(MemoryTokens)}, not {memory_tokens!r}."
            )
        if sentence_ends and memory_tokens != "apart":
            raise ValueError(
                f'Only memory tokens that are "apart" look at sentence_ends, not {memory_tokens!r}.'
            )
        if reads_in_order and (memory_tokens != "apart" or system != "armt-exact"):
            raise ValueError(
                'Only memory tokens that are "apart" of the system "armt-exact" read in order, not '
                f"{memory_tokens!r} of {system!r}."
            )
        if system not in get_args(System):
            raise ValueError(f"system must be one of {get_args(System)}, not {system!r}.")
        if (window is None) == (system == "sliding-window") or (window is not None and window < 1):
            raise ValueError(
                'The system "sliding-window" has a window of at least 1 token, and no other system '
                f"has one: not system = {system!r} with window = {window}."
            )
        if unknown := sorted(set(deltas or {}) - set(get_args(Role))):
            raise ValueError(f"deltas are of roles among {get_args(Role)}, not {unknown}.")
        self.deltas = dict(deltas or {})
        self.backbone: Any = backbone
        self.num_memory_tokens = num_memory_tokens
        self.memory_dim = memory_dim
        self.segment_tokens = segment_tokens
        self.memory_tokens = memory_tokens
        self.sentence_ends = list(sentence_ends)
        self.reads_in_order = reads_in_order
        self.system = system
        self.window = window
        self.reads_spans = reads_spans
        self.answers_from_memory = answers_from_memory
        # Generation asks the outer configuration for these.
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "tie_word_embeddings"):
            kwargs.setdefault(name, getattr(backbone, name, None))
        super().__init__(**kwargs)

    @property
    def hidden_size(self) -> int:
        """D, the width of the backbone and of a memory value."""
        return int(self.backbone.hidden_size)

    @property
    def num_hidden_layers(self) -> int:
        """L, the layers of the backbone; each has a memory."""
        return int(self.backbone.num_hidden_layers)

    @property
    def key_features(self) -> int:
        """K = 6 * d_mem, the features of a key under DPFP-3."""
        return 6 * self.memory_dim

    def get_text_config(self, *args: Any, **kwargs: Any) -> PretrainedConfig:
        """The backbone's configuration: generation sizes its cache by it."""
        return self.backbone
