"""What is faster gives the same numbers: to the last bit, or up to rounding where it is said."""

import copy
from importlib import import_module

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, Qwen2ForCausalLM

from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.config.run import Run, make_run
from mtalign.generation import sampling
from mtalign.generation.sampling import sample, sample_and_greedy
from mtalign.models.load import load_model
from mtalign.records.store import Records
from mtalign.runs.execute import attempt, execute
from mtalign.speed import cpu as fast
from mtalign.speed.cpu import OneDNNLinear, agrees, available, has_bfloat16, packed, quicken, use_bfloat16
from mtalign.speed.decoding import QuickQwen2, _Sampling, by_blocks
from mtalign.speed.prefix_tree import log_probabilities
from mtalign.tasks.registry import load_task
from mtalign.training import trainer

SMALL = {
    "model": "micro-a", "task": "logic", "max_steps": 4, "generation_batch_size": 64, "num_generations": 8,
    "train_prompts": 16, "eval_prompts": 6, "num_samples": 8,
}  # fmt: skip
EVIDENCE = ("before", "after", "curve", "history")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def loaded():
    """The quick model, the same as transformers loads it, and the tokenizer."""
    model, tokenizer = load_model("micro-a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "quicken", lambda model, exact: None)
        plain, _ = load_model("micro-a")
    assert type(model) is QuickQwen2 and type(plain) is Qwen2ForCausalLM
    assert not any(isinstance(module, OneDNNLinear) for module in plain.modules())
    return model, plain, tokenizer


@pytest.fixture(scope="module")
def rows(loaded):
    """Rows as in an update: prompts, completions of different length, padding on both sides; with repeats."""
    model, _, tokenizer = loaded
    prompts = tokenizer([e.prompt for e in load_task("logic").train[:4]], return_tensors="pt")["input_ids"]
    torch.manual_seed(0)
    ids = sampled(model, prompts.repeat_interleave(8, dim=0))
    ended = (ids[:, prompts.shape[1] :] == 1).int()
    mask = torch.cat([torch.ones(32, prompts.shape[1]), ended.cumsum(dim=1) - ended == 0], dim=1).long()
    mask[::3, -2:] = 0
    length = ids.shape[1] - prompts.shape[1]
    ids, mask = (torch.nn.functional.pad(x, (2, 0)) for x in (ids, mask))
    order = torch.randperm(32)
    return ids[order], mask[order], length


def sampled(model, ids, **how):
    how = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "max_new_tokens": 20} | how
    return model.generate(input_ids=ids, attention_mask=(ids != 0).long(), pad_token_id=0, eos_token_id=1, **how)


@pytest.mark.parametrize("how", [{}, {"temperature": 0.7}, {"do_sample": False}, {"max_new_tokens": 3}])
@pytest.mark.parametrize("padding", [0, 2])
def test_quick_sampling_gives_the_text_of_transformers(loaded, how, padding):
    model, plain, tokenizer = loaded
    texts = [example.prompt for example in load_task("logic").train[:5]]
    ids = tokenizer(texts, return_tensors="pt")["input_ids"].repeat_interleave(30, dim=0)
    ids = torch.cat([torch.nn.functional.pad(ids[:30, padding:], (padding, 0)), ids[30:]])
    found = []
    for each in (model, plain):
        torch.manual_seed(3)
        found.append((sampled(each, ids, **how), torch.rand(1)))  # the generator is as far, too
    assert torch.equal(found[0][0], found[1][0]) and found[0][1] == found[1][1]


@pytest.mark.skipif(not agrees(), reason="oneDNN gives other bits on this machine, and is left out")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("inputs, outputs", [(64, 64), (64, 128), (128, 64), (64, 41), (192, 192)])
@pytest.mark.parametrize("shape", [(128, 23), (16, 1), (1, 5), (700,)])
def test_onednn_gives_the_bits_of_torch(shape, inputs, outputs, bias):
    torch.manual_seed(0)
    plain = torch.nn.Linear(inputs, outputs, bias=bias)
    quick = copy.deepcopy(plain)
    quick.__class__ = OneDNNLinear
    x, weight = torch.randn(*shape, inputs), torch.randn(*shape, outputs)
    found = []
    for layer in (plain, quick):
        given = x.clone().requires_grad_()
        (layer(given) * weight).sum().backward()
        found.append([layer(given), given.grad, *(p.grad for p in layer.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_large_models_are_left_as_they_are_but_where_rounding_may_differ():
    model = LlamaForCausalLM(tiny_llama(hidden_size=256, intermediate_size=64))
    quicken(model)
    assert type(model.model.layers[0].mlp.up_proj) is torch.nn.Linear
    quicken(model, exact=False)
    assert (type(model.model.layers[0].mlp.up_proj) is OneDNNLinear) == available()


def test_layers_stay_torchs_where_onednn_gives_other_bits(monkeypatch):
    monkeypatch.setattr(fast, "agrees", lambda: False)
    model, _ = load_model("micro-a")
    assert type(model) is QuickQwen2 and not any(isinstance(module, OneDNNLinear) for module in model.modules())


def test_a_quick_model_is_saved_as_what_it_is(loaded, tmp_path):
    loaded[0].save_pretrained(tmp_path)
    assert '"Qwen2ForCausalLM"' in (tmp_path / "config.json").read_text()


@pytest.mark.parametrize("arm", [{}, {"objective": "nsr", "refill": "copies"}, {"entropy_coef": 0.01, "beta": 0.1}])
def test_training_gives_the_record_of_transformers_and_trl(arm, tmp_path, monkeypatch):
    run, records = make_run("test", {**SMALL, **arm}), Records(tmp_path)
    records.write(run.base, execute(run.base, records))
    quick = execute(run, records)
    monkeypatch.setattr(fast, "quicken", lambda model, exact: None)
    monkeypatch.setattr(trainer.ArmTrainer, "_prepare_inputs", trainer.GRPOTrainer._prepare_inputs)
    monkeypatch.setattr(trainer.ArmTrainer, "_tokenize_prompts", trainer.GRPOTrainer._tokenize_prompts)
    monkeypatch.setattr(trainer, "WAITS", False)
    assert type(load_model("micro-a")[0]) is Qwen2ForCausalLM
    plain = execute(run, records)
    assert {key: quick[key] for key in EVIDENCE if key in quick} == {
        key: plain[key] for key in EVIDENCE if key in plain
    }


def tiny_llama(**sizes):
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2} | sizes
    return LlamaConfig(num_hidden_layers=2, vocab_size=64, **sizes)


def tiny(kind: str, **sizes):
    """A random model of another kind, whose distribution is far from uniform."""
    torch.manual_seed(1)
    if kind == "llama":
        model = LlamaForCausalLM(tiny_llama(**sizes))
    else:
        types = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64, "head_dim": 8}
        config = tiny_llama(**sizes).to_dict() | types
        del config["model_type"], config["rope_parameters"], config["architectures"]
        model = Gemma3ForCausalLM(Gemma3TextConfig(**config))
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(20)
    return model.eval()


@pytest.mark.parametrize("kept", [0, 2**27])
@pytest.mark.parametrize("kind", ["qwen2", "llama", "gemma3_text"])
def test_a_prefix_tree_gives_the_loss_and_gradient_of_the_rows(loaded, rows, kind, kept, monkeypatch):
    monkeypatch.setattr(import_module("mtalign.speed.prefix_tree"), "KEPT", kept)
    ids, mask, length = rows
    model = loaded[1] if kind == "qwen2" else tiny(kind)
    weight = torch.randn(len(ids), length) * mask[:, -length:]
    logits = model(ids, attention_mask=mask).logits[:, -length - 1 : -1] / 0.9
    logs = logits.log_softmax(dim=-1)
    of_rows = (logs.gather(2, ids[:, -length:, None])[..., 0], -(logs.exp() * logs).sum(dim=-1))
    found = []
    for value, entropy in (of_rows, log_probabilities(model, ids, mask, length, temperature=0.9)):
        model.zero_grad()
        loss = (value * weight).sum() + 0.1 * (entropy * mask[:, -length:]).sum()
        loss.backward()
        kept = mask[:, -length:].bool()
        found.append([value[kept], entropy[kept], *(p.grad.clone() for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        assert (one - other).norm() <= 1e-4 * one.norm()


@pytest.mark.parametrize("kind", ["llama", "gemma3_text"])
def test_a_wide_model_gives_the_text_of_transformers_over_trees(loaded, kind, monkeypatch):
    plain, tokenizer, questions = tiny(kind, hidden_size=256), loaded[2], load_task("logic").train[:5]
    quick = copy.deepcopy(plain)
    quicken(quick, exact=False)
    assert type(quick) is not type(plain) and quick.share_beginnings
    asked = [*(e.prompt for e in questions), questions[0].prompt[:-9]]
    monkeypatch.setattr(sampling, "LARGE", 0)
    monkeypatch.setattr(sampling, "LARGE_ROWS", 40)  # five prompts, then one; decoded in parts of two
    monkeypatch.setattr(sampling, "PART", 2)
    drawn = [sample(model, tokenizer, asked, 8, 12, seed=3) for model in (plain, quick)]
    greedy = [sample(model, tokenizer, asked, 1, 12, seed=3, temperature=0) for model in (plain, quick)]
    assert drawn[0] == drawn[1] and greedy[0] == greedy[1]
    assert sample_and_greedy(quick, tokenizer, asked, 8, 12, 3, 1.0, joint=False) == (drawn[0], greedy[0])


def test_what_all_prompts_begin_with_is_read_once(loaded):
    model, _, tokenizer = loaded
    texts = [example.prompt for example in load_task("logic").train[:5]]
    ids = torch.nn.functional.pad(tokenizer(texts, return_tensors="pt")["input_ids"], (3, 0))
    ids[2:, :-3] = ids[2:, 3:].clone()  # longer by the last three tokens, or padded by three
    ids[2:, -3:] = torch.tensor([5, 6, 7])
    apart, quick = sampled(model, ids, do_sample=False), copy.deepcopy(model)
    quick.share_beginnings = True
    assert torch.equal(apart, sampled(quick, ids, do_sample=False))


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no products in bfloat16")
def test_products_in_bfloat16_have_the_gradients_of_float32_up_to_its_rounding_and_logits_stay_as_they_are(
    loaded, rows
):
    ids, mask, length = rows
    wide = tiny("llama", hidden_size=256)
    narrow = copy.deepcopy(wide)
    for model in (wide, narrow):
        quicken(model, exact=False)
    use_bfloat16(narrow)
    assert narrow.model.layers[0].mlp.up_proj.narrow and not narrow.lm_head.narrow
    found = []
    for model in (wide, narrow):
        value, _ = log_probabilities(model, ids, mask, length, temperature=1.0)
        value.sum().backward()
        with torch.no_grad(), packed(model):
            logits = model(ids[:, :4]).logits
        found.append([value, logits, *(p.grad for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        assert other.dtype == torch.float32
        assert 0 < (one - other).norm() <= 0.03 * one.norm()


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no products in bfloat16")
def test_products_in_bfloat16_are_those_of_the_weights_after_a_fused_update():
    layer = torch.nn.Linear(64, 64)
    layer.__class__, layer.narrow = OneDNNLinear, True
    x, optimizer = torch.randn(99, 64), torch.optim.AdamW(layer.parameters(), lr=0.5, fused=True)
    layer(x).sum().backward()
    optimizer.step()
    exact = torch.nn.functional.linear(x, layer.weight, layer.bias)
    assert (layer(x) - exact).norm() <= 0.02 * exact.norm()


def test_one_random_number_for_a_token_draws_it_with_its_probability_and_gives_that():
    logits = torch.tensor([[1.0, 0.0, 2.0, -1.0]]).repeat(1, 150)  # 600 tokens: three blocks, the last not full
    shares = logits[0].softmax(dim=0)
    numbers = torch.linspace(0, 1, 60_001, dtype=torch.float64)[:-1, None]
    tokens, logs = by_blocks(logits, torch.zeros(60_000, dtype=torch.long), numbers)
    assert torch.bincount(tokens, minlength=600) / 60_000 == pytest.approx(shares, abs=4e-5)
    assert logs == pytest.approx(shares.log()[tokens], abs=1e-5)


def test_runs_with_products_in_bfloat16_say_so_and_have_a_base_of_their_own(tmp_path):
    records, changed = Records(tmp_path), SMALL
    run = Run(**changed, fast=True, cpu_bf16=True)
    assert run.base != Run(**changed).base and run.run_id != Run(**changed, fast=True).run_id
    records.write(run.base, execute(run.base, records, fast=True))
    records.write(Run(**changed).base, execute(Run(**changed).base, records))
    narrow, plain = execute(run, records), execute(Run(**changed, fast=True), records)
    assert ("bfloat16" in narrow["device"]) == has_bfloat16() and "bfloat16" not in plain["device"]
    assert narrow["before"]["correct"] == records.read(run.base)["after"]["correct"]
    with pytest.raises(ConfigError, match="cpu_bf16: works with fast: true alone"):
        make_run("test", {**SMALL, "cpu_bf16": True})


def test_tokens_without_a_place_count_nothing(loaded, rows):
    ids, mask, length = rows
    value, entropy = log_probabilities(loaded[0], ids, mask, length, temperature=1.0)
    outside = mask[:, -length:] == 0
    assert outside.any() and not value[outside].any() and not entropy[outside].any()


def test_training_over_the_prefix_tree_differs_by_rounding(tmp_path):
    records, run = Records(tmp_path), Run(**SMALL)
    records.write(run.base, execute(run.base, records))
    rows, tree = (execute(Run(**SMALL, fast=on), records) for on in (False, True))
    assert tree["curve"]["reward"][0] == rows["curve"]["reward"][0]
    for name in ("grad_norm", "entropy"):
        assert tree["curve"][name][0] == pytest.approx(rows["curve"][name][0], rel=1e-3), name
    assert tree["deviations"] == rows["deviations"]
    assert Run(**SMALL, fast=True).base == run.base


def test_an_untrained_model_of_a_fast_grid_says_so_and_gives_the_same(tmp_path):
    records, base = Records(tmp_path), Run(**SMALL).base
    exact, quick = (execute(base, records, fast=on) for on in (False, True))
    assert quick["fast"] and "fast" not in exact
    assert quick["after"] == exact["after"] and quick["train"] == exact["train"]


@pytest.mark.parametrize("objective", ["grpo", "nsr"])  # nsr: rows without a gradient in every prompt
@pytest.mark.parametrize("left_out", ["gradients of 0", "log-probabilities of samples"])
def test_what_a_fast_update_leaves_out_changes_nothing(tmp_path, monkeypatch, left_out, objective):
    changed = {"learning_rate": 1e-3, "max_steps": 6, "objective": objective}
    records, run = Records(tmp_path), Run(**SMALL | changed, fast=True)
    records.write(run.base, execute(run.base, records))
    quick = execute(run, records)
    if left_out == "gradients of 0":
        monkeypatch.setattr(trainer.ArmTrainer, "_compute_loss", trainer.GRPOTrainer._compute_loss)
    else:
        monkeypatch.setattr(_Sampling, "logs", property(lambda self: None, lambda self, logs: None))
    plain = execute(run, records)
    assert any(share > 0 for share in quick["curve"]["frac_reward_zero_std"])
    for name in ("grad_norm", "entropy", "reward"):
        assert quick["curve"][name] == pytest.approx(plain["curve"][name], rel=2e-3), name


def test_fast_is_refused_where_it_does_not_work(tmp_path):
    with pytest.raises(ConfigError, match=r"fast: .*lora_rank 4"):
        make_run("test", {**SMALL, "fast": True, "lora_rank": 4})
    grid = "grid: {model: [micro-a], task: [logic], arm: [standard], seed: [0]}\nfixed: {fast: true}\n"
    (tmp_path / "grid.yaml").write_text(grid + "resources: {processes: 2}\n")
    with pytest.raises(ConfigError, match="fast works in one process"):
        load_grid(tmp_path / "grid.yaml")


def test_fast_needs_a_known_kind_of_model(tmp_path, monkeypatch):
    records, run = Records(tmp_path), Run(**SMALL, fast=True)
    records.write(run.base, execute(run.base, records))
    monkeypatch.setattr(import_module("mtalign.training.train"), "KNOWN", ("llama",))
    record = attempt(run, records, None, None)
    assert record["status"] == "failed" and "fast: works with models of type llama, not qwen2" in record["reason"]
