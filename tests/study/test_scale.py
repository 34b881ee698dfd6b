"""Paper scale, as far as two CPU cores can check it: recipes, resources, rehearsals with tiny models."""

import dataclasses
import os
import re
from pathlib import Path

import pytest
import yaml

from mtalign.config import paths
from mtalign.config.arms import ARMS
from mtalign.config.errors import ConfigError, ResourcesError
from mtalign.config.grid import load_grid
from mtalign.config.recipes import ORIGINALS, compare, deviations, published, table, translate
from mtalign.config.resources import PASSED, Resources, batches, make_resources
from mtalign.config.run import make_run
from mtalign.records.store import Records
from mtalign.runs.execute import execute
from mtalign.study.rehearsal import as_llama, rehearse

PARAMS = paths.shared("params")
PAPER = PARAMS / "paper.yaml"
BY_RECIPE = {p.stem: p for p in sorted((PARAMS / "originals").glob("*.yaml"))} | {"paper": PAPER}
REFERENCE = Path(os.environ.get("MTALIGN_DATA", "none")).parent / "reference" / "recipes-and-audit.md"
COLUMNS = {  # of the reference's table of exact algorithms
    "Mirage (all arms)": "paper", "Spurious Rewards": "spurious_rewards", "One-shot RLVR": "one_shot", "TTRL": "ttrl",
    "NSR/PSR/W-REINFORCE": "negative_samples",
}  # fmt: skip


@pytest.mark.parametrize("name", BY_RECIPE)
def test_a_grid_file_has_every_value_of_its_recipe(name):
    fixed = yaml.safe_load(BY_RECIPE[name].read_text())["fixed"]
    expected = translate(published()[name])
    assert {key: fixed[key] for key in expected} == expected


def test_the_papers_scripts_in_trls_words():
    expected = {
        "num_generations": 16, "generation_batch_size": 2048, "temperature": 1.0, "epsilon": 0.2, "epsilon_high": 0.28,
        "delta": 10.0, "beta": 0.0, "loss_type": "dapo", "learning_rate": 1e-6, "warmup_steps": 20, "weight_decay": 0.1,
        "lr_scheduler_type": "constant_with_warmup", "max_grad_norm": 1.0, "max_steps": 600, "steps_per_generation": 2,
        "max_completion_length": 8192, "entropy_coef": 0.0, "adam_beta2": 0.999,
    }  # fmt: skip
    assert translate(published()["paper"]) == expected


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference lies beside MTALIGN_DATA")
def test_recipes_agree_with_the_reference_field_by_field():
    text = REFERENCE.read_text().split("## 2. EXACT ALGORITHMS")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    header, cells = rows[0], {row[0]: row for row in rows[2:]}

    def cell(setting, recipe):
        return cells[setting][header.index(next(c for c, r in COLUMNS.items() if r == recipe))].replace("*", "")

    def numbers(text):
        return [float(n) for n in re.findall(r"(?<![\w.])\d*\.?\d+(?:e-\d+)?", text)]

    for name in COLUMNS.values():
        recipe = published()[name]
        assert numbers(cell("prompts/rollout x group", name))[:2] == [recipe["prompts"], recipe["group"]]
        updates = re.search(r"(\d+) updates?/?", cell("update batch", name)) or re.search(r"(\d) update", "1 update")
        assert recipe["prompts"] // recipe["update_prompts"] == int(updates[1])
        optimiser = cell("lr / sched / wd", name)
        assert numbers(optimiser)[0] == recipe["learning_rate"] and recipe["schedule"] in optimiser
        if "wd" in optimiser:
            assert numbers(optimiser.split("wd")[1])[0] == recipe["weight_decay"]
        if "betas" in optimiser:
            assert float(optimiser.split("/")[-1]) == recipe["beta2"]
        assert [recipe["clip_low"], recipe["clip_high"]] == numbers(cell("clip", name))[:2]
        dual = re.search(r"c=(\d+)", cell("clip", name))
        assert recipe["dual_clip"] == (float(dual[1]) if dual else None)
        kl = [n for n in numbers(cell("KL", name).replace("k3", "")) if n < 1]
        assert recipe["kl"] == (kl[0] if kl else 0.0)
        assert recipe["entropy"] == numbers(cell("entropy bonus", name))[0]
        assert recipe["loss"].split()[0] in cell("loss agg.", name).lower()
        assert f"T={recipe['temperature']:g}" in cell("sampling", name)
        assert recipe["max_response"] == numbers(cell("max resp.", name))[0]
        assert (recipe["filter"] == "none") == cell("group filter", name).startswith("no")
    assert published()["paper"]["rollouts"] == numbers(cell("steps", "paper"))[0]


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference lies beside MTALIGN_DATA")
def test_trl_is_configured_as_the_reference_says():
    from mtalign.training.train import grpo_config

    titles = {"Mirage arm in TRL": "paper", "Spurious": "spurious_rewards", "One-shot": "one_shot", "TTRL": "ttrl", "NSR": "negative_samples"}  # fmt: skip
    text = REFERENCE.read_text().split("Mirage arm in TRL:")[1].split("\n\n")[0]
    parts = re.split(r"(Mirage arm in TRL|Spurious|One-shot|TTRL|NSR): ", "Mirage arm in TRL: " + text)[1:]
    checked = {}
    for title, part in zip(parts[::2], parts[1::2], strict=True):
        run = next(run for run in load_grid(BY_RECIPE[titles[title]]).runs if run.max_steps)
        config = grpo_config(dataclasses.replace(run, rollouts="transformers"), "unused")
        said = dict(re.findall(r'(\w+)=("\w+"|\d*\.?\d+(?:e-\d+)?|False)', part))
        said |= {"learning_rate": rate[1]} if (rate := re.search(r"lr (\d?e-\d)", part)) else {}
        for key, value in said.items():
            expected = value.strip('"') if '"' in value else float(value != "False" and value)
            assert getattr(config, key) == expected, (title, key)
        checked[title] = len(said)
    assert checked["Mirage arm in TRL"] >= 17 and min(checked.values()) >= 3, checked


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference lies beside MTALIGN_DATA")
def test_entropy_minimisation_agrees_with_the_reference():
    said = re.search(r"one-shot-em: lr (\S+), T (\S+), (\d+)-15 steps, batch (\d+)", REFERENCE.read_text())
    recipe = published()["entropy_minimisation"]
    assert [float(n) for n in said.groups()] == [
        recipe[k] for k in ("learning_rate", "temperature", "rollouts", "prompts")
    ]


def test_the_papers_grid_has_every_arm_whose_settings_are_published():
    assert set(ORIGINALS) <= {run.arm for run in load_grid(PAPER).runs} <= set(ARMS)


@pytest.mark.parametrize("file", sorted((PARAMS / "accelerate").glob("*.yaml")), ids=lambda p: p.stem)
def test_accelerate_reads_its_configurations(file):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(file))
    assert config.distributed_type.value == ("DEEPSPEED" if file.stem.startswith("zero") else "FSDP")
    assert config.mixed_precision == ("no" if file.stem.endswith("cpu") else "bf16")
    assert make_resources({"accelerate": file.stem}).launched


@pytest.mark.parametrize("name", BY_RECIPE)
def test_every_value_says_where_it_comes_from(name):
    lines = BY_RECIPE[name].read_text().split("fixed:")[1].split("\n\n")[0].splitlines()[1:]
    assert lines and all("  # " in line for line in lines)
    assert all("# " in line for line in (PARAMS / "recipes.yaml").read_text().splitlines() if line.startswith("  ") and not re.match(r"  (title|framework|models|filter)", line))  # fmt: skip


@pytest.mark.parametrize("name", BY_RECIPE)
def test_large_grids_and_their_notebooks_are_valid_without_their_models(name):
    from mtalign.notebook.pages import open_grid

    assert open_grid(BY_RECIPE[name], planned=True).runs


def test_trl_takes_what_a_run_says():
    from mtalign.training.train import grpo_config

    run = next(run for run in load_grid(PAPER).runs if run.arm == "standard")
    config = grpo_config(dataclasses.replace(run, rollouts="transformers"), "unused")
    same = translate(published()["paper"])
    updates = same.pop("steps_per_generation")
    assert {key: getattr(config, key) for key in same} == same
    assert config.steps_per_generation == updates and config.scale_rewards == "group" and not config.use_vllm
    assert not config.use_bias_correction_kl and config.gradient_accumulation_steps == 1
    spread = grpo_config(run, "unused", Resources(micro_batch=4, trl={"vllm_mode": "server", "report_to": "none"}))
    assert (spread.per_device_train_batch_size, spread.gradient_accumulation_steps) == (4, 256)
    assert spread.steps_per_generation == 512 and spread.use_vllm and spread.vllm_mode == "server"


def test_options_that_pass_through_exist_in_trl():
    from trl import GRPOConfig

    assert not PASSED - {field.name for field in dataclasses.fields(GRPOConfig)}


@pytest.mark.parametrize(
    "values, said",
    [
        ({"gpu": 1}, "gpu: unknown key"),
        ({"gpus": "8"}, "gpus: expected a whole number, got '8'"),
        ({"gpus": 8, "processes": 2}, "processes: 2 is not the number of gpus 8"),
        ({"accelerate": "zero9"}, "accelerate: no file 'zero9'; shipped: fsdp2"),
        ({"trl": {"learning_rate": 1.0}}, "trl: learning_rate: cannot be set here"),
        ({"processes": 3}, "processes: 3 do not divide an update of 128"),
        ({"processes": 2, "micro_batch": 48}, "micro_batch: 48 does not divide a process's 64 completions; use 32"),
        ({"save_steps": 3}, "save_steps: expected a multiple of steps_per_generation 2"),
        ([1], "expected a mapping"),
    ],
)
def test_wrong_resources_are_named_before_any_compute(tmp_path, values, said):
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load((PARAMS / "tiny.yaml").read_text()) | {"resources": values}))
    with pytest.raises(ConfigError) as error:
        load_grid(file)
    assert f"{file}: resources" in str(error.value) and said in str(error.value) and "\n" not in str(error.value)


def test_a_batch_is_split_without_rest():
    assert batches(2048, 2, Resources(processes=8, micro_batch=1)) == (1, 128)
    assert batches(256, 2, Resources()) == (128, 1)
    with pytest.raises(ResourcesError, match="processes"):
        batches(8, 8, Resources(processes=2))


def test_with_gpus_there_is_a_process_for_each():
    assert make_resources({"gpus": 4}).processes == 4
    assert not make_resources({"gpus": 1}).launched and make_resources({"gpus": 2}).launched


def test_deviations_are_from_the_original_of_the_arm_else_from_the_papers_scripts():
    paper = next(run for run in load_grid(PAPER).runs if run.arm == "standard")
    assert deviations(paper) == ["group filter: none (the paper's scripts: groups without spread are dropped, the batch refilled by copies)"]  # fmt: skip
    original = next(run for run in load_grid(BY_RECIPE["negative_samples"]).runs if run.arm == "nsr")
    assert deviations(original) == []
    nsr = next(run for run in load_grid(PAPER).runs if run.arm == "nsr")
    assert {row["setting"] for row in compare(nsr) if row["deviates"]} >= {"generation_batch_size", "weight_decay"}


def test_every_arm_of_the_papers_grid_has_its_original_where_settings_are_published():
    arms = {run.arm for run in load_grid(PAPER).runs}
    assert arms - set(ORIGINALS) == {"base", "standard", "entropy_token", "entropy_sequence"}  # no settings published
    rows = table(load_grid(PAPER).runs)
    titles = {recipe["title"] for recipe in published().values()}
    assert set(rows[0]) - {"setting", "ours"} == titles and len(rows) == 19


@pytest.mark.parametrize("key, value", [("warmup_steps", 3), ("weight_decay", -1.0), ("adam_beta2", 1.0), ("bf16", 1)])
def test_a_wrong_recipe_value_is_named(key, value):
    with pytest.raises(ConfigError, match=key):
        make_run("grid", {"model": "m", "task": "t", key: value})


def test_new_fields_leave_the_records_of_older_runs_as_they_were(tmp_path):
    records = Records(tmp_path)
    old, new = (
        make_run("x", {"model": "m", "task": "t"}),
        make_run("x", {"model": "m", "task": "t", "weight_decay": 0.1}),
    )
    for run in (old, new):
        records.write(run, {"status": "finished"})
    assert "weight_decay" not in records.read(old)["config"] and "loss_type" not in records.read(old)["config"]
    assert records.read(new)["config"]["weight_decay"] == 0.1


def test_a_micro_model_is_the_same_function_as_a_llama(tmp_path):
    import torch

    from mtalign.models.load import load_model

    as_llama("micro-a", tmp_path / "llama")
    qwen, tokenizer = load_model("micro-a")
    llama, _ = load_model(str(tmp_path / "llama"))
    assert llama.config.model_type == "llama"
    ids = tokenizer(["ordering: 1693 after 8="], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        torch.testing.assert_close(qwen(ids).logits, llama(ids).logits)


QUICK = ("ttrl", "entropy_minimisation")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in BY_RECIPE])
def test_one_rollout_of_every_arm_goes_through_the_real_code_with_a_tiny_model(name, tmp_path):
    grid = load_grid(rehearse(BY_RECIPE[name], tmp_path))
    pairs = {
        block.pairs[-1] for block in grid.blocks.values()
    }  # of the paper's grid: Llama, logic, and those of other blocks
    records = Records(tmp_path / "records")
    records.prepare()
    kept = translate(published()[name])
    for run in grid.runs:
        if (run.model, run.task) not in pairs:
            continue
        records.write(run, record := execute(run, records))
        if run.max_steps:
            assert record["curve"]["step"] and run.max_steps == kept["steps_per_generation"]
            assert all(getattr(run, key) == kept[key] for key in ("learning_rate", "delta", "loss_type", "beta"))
    assert {p.name.split(".")[2] for p in records.folder.glob("*.json")} == {run.arm for run in grid.runs}
