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
    "attention-heads": lambda x, head: x.unflatten(-1, (head, -1)).permute(1, 2, 0, 3),
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
}

MISTAKES = {
    "attention": {
        "no scale": ("SCORES(query * scale, key)", "SCORES(query, key)"),
        "scaled by the size, not its root": ("1 / math.sqrt(query.shape[-1] or 1)", "1 / (query.shape[-1] or 1)"),
        "the softmax over the queries": ("parts.sum(-1, keepdim=True)", "parts.sum(-2, keepdim=True)"),
        "not shifted": ("(scores - top.clamp_min(torch.finfo(top.dtype).min)).exp()", "scores.exp()"),
        "a row masked everywhere is NaN": (".clamp_min(1)", ""),
        "True drops": ("drop = ~attn_mask if", "drop = attn_mask if"),
        "True keeps, in many heads": (".masked_fill(drop, -math.inf)", ".masked_fill(~drop, -math.inf)"),
        "a token does not see itself": ("q[:, None] >= s", "q[:, None] > s"),
        "the last query sees all": ("q[:, None] >= s", "q[:, None] + len(s) - len(q) >= s"),
        "the mask multiplied": ("else scores + mask\n    if", "else scores * mask\n    if"),
        "the gradient without the mean": ("found - weights * found.sum(-1, keepdim=True)", "found"),
        "the gradient without the dropout": ("found if noise is None else found * noise", "found"),
        "no gradient for the mask": ("scores if needed[3] else None", "None"),
        "groups of heads in another order": (
            "x.repeat_interleave(heads // given, -3)",
            "x.repeat(*[1] * (x.ndim - 3), heads // given, 1, 1)",
        ),
        "the cut forgets a remainder": ("else x.split(step, axis)", "else x.split(step, axis)[: x.shape[axis] // step]"),
        "heads are the last letter": ('"n b (head e) -> b head n e"', '"n b (e head) -> b head n e"'),
        "the weights before dropout are shown": (
            "    weights = dropout(weights, dropout_p)\n    return READ(weights, value), weights",
            "    return READ(dropout(weights, dropout_p), value), weights",
        ),
        "dropout in evaluation": ("dropout_p if training else 0.0", "dropout_p"),
        "the hint is all there is": (
            "is_causal and key_padding_mask is None and not need_weights",
            "is_causal",
        ),
        "zeros are added to the values only": ("k, v = (torch.constant_pad_nd", "_, v = (torch.constant_pad_nd"),
        "normal numbers for the weights": (
            "nn.init.xavier_uniform_(parameter)",
            "nn.init.xavier_normal_(parameter)",
        ),
        "half precision all the way": (
            "[wide(x) for x in (query, key, value)]",
            "[query, key, value]",
        ),
    },
    "attention contract": {
        "weights unless asked": ("need_weights: bool = True,\n        attn_mask", "need_weights: bool = False,\n        attn_mask"),
        "a class without its line": ("    line = READ\n", ""),
        "a number read out of a tensor": (
            "    separate = (q_proj",
            "    float(query.sum())\n    separate = (q_proj",
        ),
        "other initial values": ("nn.init.xavier_normal_(bias)", "nn.init.xavier_uniform_(bias)"),
    },
    "attention purity": {
        "torch's own function": (
            "return _in_pieces(0, scale, *inputs, mask, noise).to(query.dtype)",
            "return nn.functional.scaled_dot_product_attention(*inputs, mask, scale=scale)",
        ),
    },
}  # fmt: skip
