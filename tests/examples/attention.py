"""Examples of attention, and the known mistakes."""

import torch
from torch.nn import functional

from examples import Example

CAUSAL = torch.ones(3, 3, dtype=torch.bool).triu(1)
PADDING = torch.tensor([[False, False, False], [False, True, True]])
LATER = torch.full((3, 3), -torch.inf).triu(1)
WIDE = {"dtype": torch.float64}
QKV = [(3, 2, 4), (3, 2, 4), (3, 2, 4)]

CLASSES = {
    "MultiheadAttention": [
        Example(QKV, (4, 2), WIDE, dtype=torch.float64),
        Example(QKV, (4, 2), {"dropout": 0.5}),
        Example([(2, 3, 4)] * 3, (4, 2), {"batch_first": True, "bias": False}),
        Example(QKV, (4, 2), {"add_bias_kv": True}, {"need_weights": False}),
        Example(
            QKV,
            (4, 2),
            {"add_zero_attn": True, **WIDE},
            {"attn_mask": CAUSAL},
            dtype=torch.float64,
        ),
        Example(
            [(3, 2, 4), (3, 2, 5), (3, 2, 6)],
            (4, 2),
            {"kdim": 5, "vdim": 6, "device": "cpu", "dtype": torch.float64},
            {"key_padding_mask": PADDING, "average_attn_weights": False},
            dtype=torch.float64,
        ),
        Example(
            [(3, 4)] * 3,
            (4, 2),
            forward={"attn_mask": LATER, "is_causal": True, "need_weights": False},
            training=False,
        ),
    ],
}


OUT = torch.linspace(-1, 1, 16).reshape(4, 4)

FUNCTIONS = {
    "scaled_dot_product_attention": [
        Example([(2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 4)]),
        Example([(5, 4), (6, 4), (6, 7), (5, 6)], kwargs={"scale": 0.3}),
        Example([(2, 5, 4), (2, 6, 4), (2, 6, 4)], kwargs={"is_causal": True}),
        Example([(2, 5, 4), (2, 6, 4), (2, 6, 4)], kwargs={"dropout_p": 0.5}),
        Example(
            [(2, 4, 3, 5), (2, 2, 3, 5), (2, 2, 3, 5), ~CAUSAL],
            kwargs={"enable_gqa": True},
        ),
    ],
    "multi_head_attention_forward": [
        Example(
            QKV,
            (
                4,
                2,
                torch.linspace(-1, 1, 48).reshape(12, 4),
                torch.ones(12),
                *[torch.ones(1, 1, 4)] * 2,
            ),
            {
                "add_zero_attn": True,
                "dropout_p": 0.5,
                "out_proj_weight": OUT,
                "out_proj_bias": torch.ones(4),
                "key_padding_mask": PADDING,
                "average_attn_weights": False,
            },
        ),
        Example(
            [(3, 2, 4), (3, 2, 5), (3, 2, 6)],
            (4, 2, None, None, None, None, False, 0.5, OUT, None),
            {
                "training": False,
                "need_weights": False,
                "attn_mask": LATER,
                "is_causal": True,
                "use_separate_proj_weight": True,
                "q_proj_weight": OUT,
                "k_proj_weight": torch.linspace(-1, 1, 20).reshape(4, 5),
                "v_proj_weight": torch.linspace(-1, 1, 24).reshape(4, 6),
                "static_k": torch.linspace(-2, 1, 24).reshape(4, 3, 2),
                "static_v": torch.linspace(-1, 2, 24).reshape(4, 3, 2),
            },
        ),
    ],
}


def softmax_gradient(scores: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    scores = scores.clone().requires_grad_()
    return torch.autograd.grad(scores.softmax(-1), scores, gradient)[0]


ANSWERS = {
    "attention-heads": lambda x, part, head: torch.stack(
        [
            each.unflatten(-1, (head, -1)).permute(1, 2, 0, 3)
            for each in x.chunk(part, -1)
        ]
    ),
    "attention-weights": lambda q, k: functional.scaled_dot_product_attention(
        q, k, torch.eye(k.shape[1]).expand(len(k), -1, -1)
    ),
    "attention-causal": lambda *x: functional.scaled_dot_product_attention(
        *x, is_causal=True
    ),
    "attention-gradient": softmax_gradient,
    "attention-groups": lambda *x: functional.scaled_dot_product_attention(
        *x, enable_gqa=True
    ),
    "attention-story-lookup": functional.scaled_dot_product_attention,
}

MISTAKES = {
    "attention": {
        "no scale": ("query = query * (1 /", "query = query + 0 * (1 /"),
        "scaled by the size, not its root": ("1 / math.sqrt(query.shape[-1]) if", "1 / query.shape[-1] if"),
        "with its weights it is not scaled": ("query / math.sqrt(query.shape[-1])", "query"),
        "the softmax over the queries": ("else scores + mask, -1)", "else scores + mask, -2)"),
        "no softmax": (
            "return softmax(scores if mask is None else scores + mask, -1)",
            "return scores if mask is None else scores + mask",
        ),
        "the mask multiplied": ("else scores + mask, -1)", "else scores * mask, -1)"),
        "the gradient without the mean": ("gain - weights * gain.sum(-1, keepdim=True)", "gain"),
        "the gradient without the slope": ("weights * SCORES(cotangent, value)", "SCORES(cotangent, value)"),
        "no gradient for the mask": ("for_value, scores\n", "for_value, 0 * scores\n"),
        "dropout is forgotten": ("if dropout_p == 0:", "if True:"),
        "heads are the last letter": ('"n b (head e) -> b head n e"', '"n b (e head) -> b head n e"'),
        "the weights before dropout are shown": (
            "    weights = dropout(_weights(scaled, key, mask), dropout_p)\n    return READ(weights, value), weights",
            "    weights = _weights(scaled, key, mask)\n    return READ(dropout(weights, dropout_p), value), weights",
        ),
        "the weights of the first head": ("shown = AVERAGE(shown)", "shown = shown[:, 0]"),
        "the hint is not passed on": ("settings = mask, dropout_p, is_causal", "settings = mask, dropout_p, False"),
        "the values are not projected": ("zip(inputs, weights, biases, strict=True)", "zip(inputs, weights[:2] * 2, biases)"),
        "the bias of the queries for all": ("THREE(bias, three=3)", "[THREE(bias, three=3)[0]] * 3"),
        "further sources stand first": ("torch.cat([sources, more])", "torch.cat([more, sources])"),
        "others are not taken instead": ("projected if instead is None else instead", "projected"),
        "the further keys for the values": ("bias_v, static_v)", "bias_k, static_v)"),
        "the last layer is not of layerlib": ("BUILT: dict[type, type] = {NonDynamicallyQuantizableLinear: _OutProjection}", "BUILT: dict[type, type] = {}"),
        "normal numbers for the weights": (
            "nn.init.xavier_uniform_(parameter)",
            "nn.init.xavier_normal_(parameter)",
        ),
    },
    "attention contract": {
        "weights unless asked": ("need_weights: bool = True,\n        attn_mask", "need_weights: bool = False,\n        attn_mask"),
        "a class without its line": ("    line = READ\n", ""),
        "a number read out of a tensor": (
            "    weights = q_proj",
            "    float(query.sum())\n    weights = q_proj",
        ),
        "other initial values": ("nn.init.xavier_normal_(bias)", "nn.init.xavier_uniform_(bias)"),
    },
    "attention purity": {
        "torch's own function": (
            "output: Tensor = _attend(query, key, value, attn_mask)",
            "output = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask, scale=1)",
        ),
    },
    "conventions.attention": {
        "True drops": ("added(~mask if", "added(mask if"),
        "True keeps, in many heads": (".masked_fill(drop, -math.inf)", ".masked_fill(~drop, -math.inf)"),
        "a token does not see itself": ("q[:, None] < s,", "q[:, None] <= s,"),
        "the last query sees all": ("q[:, None] < s,", "q[:, None] + len(s) - len(q) < s,"),
        "a row masked everywhere is NaN": ("mask.masked_fill(nothing, 0), ", "mask, "),
        "a row masked everywhere reads all": ("call.then(lambda output: output * seen)", "pass"),
        "groups of heads in another order": (
            "x.repeat_interleave(heads // groups, -3)",
            "x.repeat(*[1] * (x.ndim - 3), heads // groups, 1, 1)",
        ),
        "heads are shared unasked": ("shared = x.ndim > 3 and groups == 1", "shared = groups == 1"),
        "one head is not shared": ("shared = x.ndim > 3 and groups == 1", "shared = False"),
        "half precision all the way": ("    call.widen(*names)\n", ""),
        "numbers of two kinds": ("right = len(kinds) == 1 and", "right ="),
        "dropout in evaluation": ("call.dropout_p if call.training else 0.0", "call.dropout_p"),
        "the hint is all there is": (
            "call.is_causal and padding is None and not shown",
            "call.is_causal",
        ),
        "zeros are added to the values only": (
            "torch.cat(more) if more else None",
            'torch.cat(more) if more and bias == "bias_v" else row',
        ),
        "further sources are hidden": ("torch.constant_pad_nd(mask, (0, more))", "torch.constant_pad_nd(mask, (0, more), -math.inf)"),
        "one mask of two": ("mask = padding if mask is None else mask + padding", "mask = padding"),
        "the batch stays in front": ("call.change(lambda x: x.transpose(0, 1), *QKV)", "pass"),
        "a source of one axis is refused": ("x[None, None] if x.ndim == 1 else x", "x"),
        "a static of any size": ('"static_v": [(each, None, e // heads)]', '"static_v": [(each, None, None)]'),
        "the first weights for all": ("packed.chunk(3)", "packed.chunk(3)[:1] * 3"),
        "a single sequence keeps its batch": ("(y[0][:, 0], y[1] if", "(y[0], y[1] if"),
    },
    "conventions.call attention": {
        "one tensor is taken for three": ("made.get(id(x))", "x if x is None else function(x)"),
    },
}  # fmt: skip
