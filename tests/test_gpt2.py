"""GPT-2 and Llama next to those of `transformers`, and folders of weights, bad ones too."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)
from transformers.models.llama.modeling_llama import LlamaRMSNorm

import layerlib
from layerlib import gpt2
from layerlib.decoder import Decoder, best, likeliest
from layerlib.gpt2 import GPT2, Llama
from test_project import OWN, STORIES, defined

CONFIGS = {
    "gpt2": {"n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 9},
    "gpt2 untied, wider": {
        "n_embd": 10, "n_layer": 3, "n_head": 2, "n_positions": 11, "n_inner": 7,
        "tie_word_embeddings": False, "activation_function": "gelu",
    },
    "gpt2 one head": {
        "n_embd": 7, "n_layer": 1, "n_head": 1, "n_positions": 8,
        "layer_norm_epsilon": 1e-3, "activation_function": "relu",
    },
    "llama": {
        "hidden_size": 12, "intermediate_size": 17, "num_hidden_layers": 2,
        "num_attention_heads": 6, "num_key_value_heads": 3,
    },
    "llama tied, one group, with biases": {
        "hidden_size": 9, "intermediate_size": 5, "num_hidden_layers": 3,
        "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 4,
        "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True,
        "rms_norm_eps": 1e-4,
    },
    "llama without groups": {
        "hidden_size": 8, "intermediate_size": 11, "num_hidden_layers": 1,
        "num_attention_heads": 4, "hidden_act": "gelu",
        "rope_parameters": {"rope_type": "default", "rope_theta": 100.0},
    },
}  # fmt: skip
WORDS = 13
PADDING = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])


class Exact(LlamaRMSNorm):
    """`transformers` rounds what goes into a norm to 32 bits: this one does not."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        size, eps = self.weight.shape, self.variance_epsilon
        normed: Tensor = nn.functional.rms_norm(hidden_states, size, self.weight, eps)
        return normed


def peer(name: str, **more: Any) -> PreTrainedModel:
    """A model of `transformers` with random weights, float64, in evaluation."""
    kind = (GPT2Config, GPT2LMHeadModel)
    if name.startswith("llama"):
        kind = (LlamaConfig, LlamaForCausalLM)
    ends = {"eos_token_id": None, "bos_token_id": None}
    settings = {"attn_implementation": "sdpa", "initializer_range": 0.3, **ends, **more}
    torch.manual_seed(0)
    model = kind[1](kind[0](vocab_size=WORDS, **CONFIGS[name], **settings)).double()
    for module in model.modules():
        if isinstance(module, LlamaRMSNorm):
            module.__class__ = Exact
    for parameter in model.parameters():
        if parameter.ndim == 1:  # biases and norms: others than zeros and ones
            nn.init.normal_(parameter)
    return model.eval()


def read(folder: Path, layers: Any = layerlib) -> Decoder:
    """The model of a folder."""
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    return {"gpt2": GPT2, "llama": Llama}[kind].from_pretrained(folder, layers)


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request: Any, tmp_path_factory: Any) -> tuple[PreTrainedModel, Decoder, Path]:
    """Theirs; ours of the folder that they saved; the folder."""
    theirs, folder = peer(request.param), tmp_path_factory.mktemp("theirs")
    theirs.save_pretrained(folder)
    return theirs, read(folder), folder


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def tokens(batch: int = 3, n: int = 6) -> Tensor:
    return torch.randint(WORDS, (batch, n), generator=torch.Generator().manual_seed(1))


def in_places(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp_min(0)


@pytest.mark.parametrize("padded", [False, True])
def test_values_states_and_gradients(pair: Any, padded: bool) -> None:
    theirs, ours, _ = pair
    mask = PADDING if padded else torch.ones_like(PADDING)
    real = mask.bool()
    given = {"attention_mask": mask, "position_ids": in_places(mask)}
    right = theirs(tokens(), output_hidden_states=True, use_cache=False, **given)
    stream = ours.stream(tokens(), mask)
    states = [*stream[:-1], ours.norm(stream[-1])]
    assert len(states) == len(right.hidden_states)
    for mine, other in zip(states, right.hidden_states, strict=True):
        close(mine[real], other[real])
    logits = ours(tokens(), mask)
    close(logits[real], right.logits[real])
    cotangent = torch.randn(logits.shape, dtype=torch.float64) * mask[..., None]
    for model, output in ((ours, logits), (theirs, right.logits)):
        model.zero_grad()
        (output * cotangent).sum().backward()
    gradients = {name: x.grad for name, x in theirs.named_parameters()}
    found = set()
    for name, parameter in ours.named_parameters():
        place = ours.place(name)
        key = place if isinstance(place, str) else place.name
        gradient = gradients[key]
        if not isinstance(place, str):
            gradient = gradient.chunk(place.parts, -1)[place.part]
            gradient = gradient.T if place.transposed else gradient
        found.add(key)
        close(parameter.grad, gradient)
    assert found == set(gradients)


@torch.no_grad()
def test_a_cache_changes_nothing(pair: Any) -> None:
    theirs, ours, _ = pair
    whole, cache = ours(tokens(), PADDING), ours.cache()
    pieces, at = [], 0
    for n in (3, 1, 2):
        now = tokens()[:, at : at + n]
        pieces.append(ours(now, PADDING[:, : at + n], cache))
        at += n
    close(torch.cat(pieces, 1), whole)
    assert len(cache[0]) == 6
    given = {
        "attention_mask": PADDING[:, :5],
        "position_ids": in_places(PADDING)[:, :5],
    }
    past = theirs(tokens()[:, :5], use_cache=True, **given).cache
    last = {"attention_mask": PADDING, "position_ids": in_places(PADDING)[:, 5:]}
    right = theirs(tokens()[:, 5:], cache=past, **last).logits
    close(pieces[-1][:, -1:], right)
    mine = list(cache[0].kept)
    for found, other in zip(
        mine, (past.layers[0].keys, past.layers[0].values), strict=True
    ):
        real = PADDING.bool()
        close(found.transpose(1, 2)[real], other.transpose(1, 2)[real])


HOW = {
    "greedy": ({}, {"do_sample": False}),
    "drawn": ({"temperature": 1.0}, {"do_sample": True, "top_k": 0}),
    "warm, k": ({"temperature": 1.7, "top_k": 4},) * 2,
    "cool, p": (
        {"temperature": 0.6, "top_p": 0.7},
        {"temperature": 0.6, "top_p": 0.7, "top_k": 0},
    ),
    "k and p": ({"temperature": 1.1, "top_k": 6, "top_p": 0.8},) * 2,
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_writes_what_transformers_writes(name: str, how: str, tmp_path: Path) -> None:
    theirs = peer(name)
    theirs.save_pretrained(tmp_path)
    ours, count = read(tmp_path), 3 if name == "gpt2" else 6
    mine, other = HOW[how]
    given = {"attention_mask": PADDING, "max_new_tokens": count, "pad_token_id": 0}
    for seed in range(2):
        torch.manual_seed(seed)
        right = theirs.generate(tokens(), **given, **{"do_sample": True, **other})
        for cached in (True, False):
            settings = {"count": count, "seed": seed, "cached": cached, **mine}
            assert torch.equal(ours.generate(tokens(), PADDING, **settings), right)


def test_texts_that_end(tmp_path: Path) -> None:
    """Each row for itself; all of them: then nothing more is written."""
    plain = peer("llama")
    free = plain.generate(tokens(), max_new_tokens=12, do_sample=False, pad_token_id=0)
    first = free[0, 8].item()  # the third token that the first text has
    theirs = peer("llama", eos_token_id=first)
    theirs.save_pretrained(tmp_path)
    how = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": first}
    mask = torch.ones_like(tokens())
    right = theirs.generate(tokens(), attention_mask=mask, **how)
    ours = read(tmp_path)
    assert torch.equal(ours.generate(tokens(), count=12), right)
    alone = ours.generate(tokens()[:1], count=12)
    assert alone[0, -1] == first
    assert alone.shape[1] < 18
    assert ours.generate(tokens(), count=0).shape == (3, 6)


def test_what_is_drawn_from() -> None:
    scores = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log()
    kept = [best(scores, 2), likeliest(scores, 0.75), likeliest(scores, 1e-9)]
    left = [[int(n) for n in x[0].isfinite().nonzero()] for x in kept]
    assert left == [[1, 3], [1, 2, 3], [1]]
    assert best(scores, None) is scores is likeliest(scores, None)


def test_a_cache_saves_most_of_the_multiplications() -> None:
    """Counted, since time depends on who else computes."""
    config = gpt2.GPT2Config(11, n_positions=21, n_embd=8, n_layer=1, n_head=2)
    model, counts = GPT2(config).eval(), []
    for cached in (True, False):
        with FlopCounterMode(display=False) as counted:
            model.generate(tokens(1, 5) % 11, count=16, cached=cached)
        counts.append(counted.get_total_flops())
    assert 8 * counts[0] < counts[1]


# --- folders


def test_written_and_read_again(pair: Any, tmp_path: Path) -> None:
    """By us, by `transformers`, and in shards."""
    theirs, ours, folder = pair
    ours.save_pretrained(tmp_path / "ours")
    saved, right = (
        load_file(where / "model.safetensors") for where in (tmp_path / "ours", folder)
    )
    assert saved.keys() == right.keys()
    assert all(torch.equal(saved[name], right[name]) for name in right)
    again = read(tmp_path / "ours")
    assert again.config == ours.config
    assert not again.training
    close(again(tokens()), ours(tokens()))
    kind = type(theirs).from_pretrained(tmp_path / "ours", dtype=torch.float64).eval()
    assert kind.config.tie_word_embeddings == theirs.config.tie_word_embeddings
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="2KB")
    assert len([*(tmp_path / "shards").glob("model-*.safetensors")]) > 1
    close(read(tmp_path / "shards")(tokens()), ours(tokens()))
    tied = ours.config.tie_word_embeddings
    assert (again.head.weight is again.tokens.weight) == tied


def test_a_body_without_a_head_and_with_masks(tmp_path: Path) -> None:
    """As GPT-2 was published: no prefix, and the causal mask as a tensor."""
    theirs = peer("gpt2")
    theirs.transformer.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert "wte.weight" in weights
    weights["h.0.attn.bias"] = torch.ones(1, 1, 9, 9)
    save_file(weights, tmp_path / "model.safetensors")
    close(read(tmp_path)(tokens()), theirs(tokens()).logits)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small GPT-2, whole."""
    config = gpt2.GPT2Config(WORDS, n_positions=9, n_embd=6, n_layer=1, n_head=2)
    GPT2(config).save_pretrained(tmp_path)
    return tmp_path


def weights(change: Callable[[dict[str, Tensor]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        found = load_file(folder / "model.safetensors")
        change(found)
        save_file(found, folder / "model.safetensors")

    return damage


def truncated(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def pickled(folder: Path) -> None:
    torch.save({"wte.weight": torch.ones(2)}, folder / "model.safetensors")


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def index(shards: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "one.safetensors")
        shutil.copy(folder / "one.safetensors", folder / "two.safetensors")
        told = json.dumps({"weight_map": shards})
        (folder / "model.safetensors.index.json").write_text(told)

    return damage


def settings(**more: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | more))

    return damage


WTE, BIAS = "transformer.wte.weight", "transformer.h.0.attn.c_attn.bias"
BAD = {
    "truncated": (truncated, ValueError, "a whole file of safetensors in model"),
    "a pickle under its name": (pickled, ValueError, "a whole file of safetensors"),
    "only a pickle": (
        only_a_pickle, FileNotFoundError,
        r"model.safetensors.index.json in .*, got only pytorch_model.bin: a pickle",
    ),
    "nothing": (
        lambda folder: (folder / "model.safetensors").unlink(), FileNotFoundError,
        "got neither",
    ),
    "missing": (
        weights(lambda x: x.pop(BIAS)), ValueError,
        r"GPT2.from_pretrained: expected the 16 tensors of the model, got missing: "
        + BIAS,
    ),
    "unexpected": (
        weights(lambda x: x.update({"transformer.z": torch.ones(1)})), ValueError,
        "got unexpected: transformer.z",
    ),
    "shape": (
        weights(lambda x: x.update({WTE: torch.ones(WORDS, 5)})), ValueError,
        rf"got wrong: {WTE} has shape \(13, 5\) and not \(13, 6\)",
    ),
    "whole numbers": (
        weights(lambda x: x.update({WTE: torch.ones(WORDS, 6).int()})), ValueError,
        rf"wrong: {WTE} is of I32 and not floating",
    ),
    "a missing shard": (
        index({WTE: "one.safetensors", BIAS: "three.safetensors"}), FileNotFoundError,
        r"the shard three.safetensors beside model.safetensors.index.json, got none",
    ),
    "a shard elsewhere": (
        index({WTE: "../one.safetensors"}), ValueError, "expected shards beside model",
    ),
    "twice": (
        index({WTE: "one.safetensors", BIAS: "two.safetensors"}), ValueError,
        "in one shard, got several",
    ),
    "an empty index": (index(None), ValueError, "a weight_map in model.safe.*got None"),
    "another model": (
        settings(model_type="bert"), ValueError,
        "expected a config.json of model_type gpt2, got bert",
    ),
    "no configuration": (
        lambda folder: (folder / "config.json").unlink(), FileNotFoundError,
        "expected a file .*config.json, got none",
    ),
    "no JSON": (
        lambda folder: (folder / "config.json").write_text("{"), ValueError,
        "expected an object of JSON in .*config.json, got Expecting",
    ),
    "another scale": (
        settings(scale_attn_by_inverse_layer_idx=True), ValueError,
        "expected scale_attn_by_inverse_layer_idx False in config.json, got True",
    ),
    "another size": (settings(n_embd=8), ValueError, r"got wrong: .*bias has shape \(6,\) and not"),
    "an unknown bend": (
        settings(activation_function="sine"), ValueError,
        "GPT2Config: expected an activation of gelu, .*, got sine",
    ),
    "heads": (settings(n_head=4), ValueError, "an n_head that divides 6 features, got 4"),
    "no size": (settings(n_layer=0), ValueError, "n_layer of at least 1, got 0"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_bad_folders_are_refused(bad: str, folder: Path) -> None:
    damage, error, told = BAD[bad]
    damage(folder)
    with pytest.raises(error, match=told):
        GPT2.from_pretrained(folder)


def test_nothing_is_half_loaded(folder: Path) -> None:
    weights(lambda x: x.pop("transformer.ln_f.bias"))(folder)
    model = GPT2(gpt2.GPT2Config(WORDS, n_positions=9, n_embd=6, n_layer=1, n_head=2))
    before = {name: x.clone() for name, x in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"missing: transformer\.ln_f\.bias"):
        gpt2.pretrained.load(model, folder, GPT2.place)
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


def test_frequencies_of_another_kind_are_refused(tmp_path: Path) -> None:
    peer("llama").save_pretrained(tmp_path)
    settings(rope_parameters={"rope_type": "linear", "rope_theta": 1e4})(tmp_path)
    with pytest.raises(
        ValueError, match=r"rope_type 'default' in config\.json, got 'lin"
    ):
        Llama.from_pretrained(tmp_path)
    for sizes, told in (
        (
            {"num_key_value_heads": 3},
            "num_key_value_heads that divides 32 heads, got 3",
        ),
        ({"head_dim": 5}, "an even head_dim: features turn in pairs, got 5"),
        ({"intermediate_size": 0}, "intermediate_size of at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=told):
            gpt2.LlamaConfig(**sizes)


def test_an_older_way_to_tell_the_frequencies(tmp_path: Path) -> None:
    theirs = peer("llama without groups")
    theirs.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    told = json.loads(file.read_text())
    theta = told.pop("rope_parameters")["rope_theta"]
    file.write_text(json.dumps(told | {"rope_theta": theta, "rope_scaling": None}))
    close(read(tmp_path)(tokens()), theirs(tokens()).logits)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda m: m(torch.ones(3).long()), r"tokens of shape \(batch, n\)"),
        (lambda m: m(tokens(1, 0)), r"n at least 1, got \(1, 0\)"),
        (lambda m: m(tokens(1, 10)), "at most 9 tokens, .*, got 10"),
        (lambda m: m(tokens(), PADDING[:, :4]), r"attention_mask of shape \(3, 6\)"),
        (lambda m: m(tokens(), cache=[]), "a cache of 1 blocks"),
        (
            lambda m: m.generate(tokens(), count=4),
            "at most 9 tokens, given and wri.* 10",
        ),
        (lambda m: m.generate(tokens(), count=-1), "a count of at least 0, got -1"),
        (lambda m: m.generate(tokens(), count=1, temperature=-1.0), "a temperature of"),
        (lambda m: m.generate(tokens(), count=1, top_k=0), "a top_k of at least 1"),
        (lambda m: m.generate(tokens(), count=1, top_p=0.0), "a top_p above 0"),
    ],
)
def test_bad_input_is_refused(call: Any, told: str) -> None:
    config = gpt2.GPT2Config(WORDS, n_positions=9, n_embd=6, n_layer=1, n_head=2)
    with pytest.raises(ValueError, match=told):
        call(GPT2(config))


# --- layers of other namespaces


def test_over_torch_layerlib_and_the_stories(pair: Any) -> None:
    _, ours, where = pair
    own = {name: getattr(layerlib, name) for name in layerlib.__all__}
    stories = {
        name: defined(STORIES / f"{page}.ipynb", cls)
        for name, (page, cls) in OWN.items()
    }
    exact = ours.config.__dict__.get("activation_function") == "gelu"
    kept = {"Embedding"}  # what is asked of it is what the stories' class has
    if isinstance(ours, GPT2) and ours.config.layer_norm_epsilon == 1e-5:
        kept |= {"Linear", "LayerNorm"} | ({"GELU"} if exact else set())
    mine = SimpleNamespace(**own | {name: stories[name] for name in kept})
    for layers in (nn, mine):
        other = read(where, layers)
        close(other(tokens(), PADDING), ours(tokens(), PADDING))
        assert torch.equal(
            other.generate(tokens(), PADDING, count=2, temperature=1.0, seed=0),
            ours.generate(tokens(), PADDING, count=2, temperature=1.0, seed=0),
        )
    assert {type(x).__name__ for x in read(where, mine).modules()} >= {
        stories[name].__name__ for name in kept
    }


def test_initial_values() -> None:
    torch.manual_seed(0)
    config = gpt2.GPT2Config(50, n_positions=40, n_embd=64, n_layer=8, n_head=4)
    for name, parameter in GPT2(config).named_parameters():
        mean, spread = parameter.mean().item(), parameter.std(correction=0).item()
        if parameter.ndim == 2:
            few = 4 if "output" in name or "down" in name else 1
            assert spread == pytest.approx(0.02 / few, rel=0.1)
        else:
            assert (mean, spread) == (name.endswith("weight"), 0)


# --- the command line


@pytest.fixture
def spoken(folder: Path) -> Path:
    """A folder with a tokenizer, of whole bytes."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=WORDS, show_progress=False)
    words.train_from_iterator(["to be or not to be"], trainer)
    words.decoder = decoders.ByteLevel()
    words.save(str(folder / "tokenizer.json"))
    return folder


def test_the_command_line_writes(spoken: Path, capsys: Any) -> None:
    gpt2.main([str(spoken), "to b", "--count", "5", "--temperature", "0"])
    out = capsys.readouterr().out
    words = gpt2.tokenizer(spoken)
    prompt = torch.tensor([words.encode("to b").ids])
    whole = read(spoken).generate(prompt, count=5)[0].tolist()
    assert out == words.decode(whole) + "\n"
    told = ["--count", "4", "--seed", "1", "--top-k", "5", "--top-p", "0.9"]
    texts = []
    for _ in range(2):
        gpt2.main([str(spoken), "to b", *told])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != out


def test_the_command_line_from_outside(spoken: Path) -> None:
    (spoken / "tokenizer.json").write_text("{}")
    command = [sys.executable, "-W", "error", "-m", "layerlib.gpt2", spoken, "to"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("tokenizer: expected one in ")


def test_no_tokenizer(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a file .*tokenizer.json, got none"):
        gpt2.tokenizer(folder)


def test_what_is_imported_before_a_folder_is_read() -> None:
    code = "import sys, layerlib.gpt2; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in told.stdout.split()}
    assert not loaded & {"safetensors", "tokenizers", "transformers"}
