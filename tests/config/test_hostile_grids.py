"""Any grid file ends in 0 or in 2 with one line, soon and in little memory."""

import re
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtalign.cli.main import LONGEST, main
from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid

HEAD = "grid: {model: [micro-a], task: [ordering], arm: [base, standard], seed: [0]}\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
HOSTILE = {
    "aliases that unfold to 10^11 values": BOMB + "grid: *a11\n",
    "an alias of what it is in": "grid: &a [*a]\n",
    "a mapping in itself": "grid: &a {model: *a}\n",
    "20,000 lists in each other": "grid: " + "[" * 20_000 + "]" * 20_000,
    "20,000 mappings in each other": "{a: " * 20_000 + "1" + "}" * 20_000,
    "a key twice": HEAD + HEAD,
    "a key twice within": "grid: {model: [micro-a], task: [ordering], arm: [base], seed: [0], seed: [1]}\n",
    "an arm that climbs": HEAD.replace("standard", "../../up") + "arms: {../../up: {reward: random}}\n",
    "an arm with a slash": HEAD.replace("standard", "a/b") + "arms: {a/b: {reward: random}}\n",
    "an arm with markup": HEAD.replace("standard", "'<b>'") + "arms: {'<b>': {reward: random}}\n",
    "an arm of dots": HEAD.replace("standard", "'..'") + "arms: {'..': {reward: random}}\n",
    "an arm that is a number": HEAD + "arms: {1: {reward: random}}\n",
    "an arm that is long": HEAD + f"arms: {{{'a' * 300}: {{reward: random}}}}\n",
    "a number of 400 digits": HEAD + f"fixed: {{max_steps: {'9' * 400}}}\n",
    "a number of 5,000 digits": HEAD + f"fixed: {{max_steps: {'9' * 5_000}}}\n",
    "a seed beyond 64 bits": HEAD.replace("[0]", f"[{2**70}]"),
    "a seed below 0": HEAD.replace("[0]", "[-1]"),
    "not a number": HEAD + "fixed: {epsilon: .nan}\n",
    "infinity": HEAD + "fixed: {beta: .inf}\n",
    "a coefficient that is infinite": HEAD + "fixed: {entropy_coef: -.inf}\n",
    "a clip below 0": HEAD + "fixed: {epsilon: -0.2}\n",
    "a billion samples": HEAD + "fixed: {num_samples: 1000000000}\n",
    "a million runs": f"grid: {{model: &m {[f'm{n}' for n in range(100)]}, task: *m, arm: *m, seed: [0]}}\n",
    "a model with a NUL": HEAD.replace("micro-a", r'"a\0b"'),
    "a model of 5,000 characters": HEAD.replace("micro-a", "m" * 5_000),
    "a task that is empty": HEAD.replace("ordering", "''"),
    "a notebook that is a number": HEAD + "notebooks: {each: {1: {}}}\n",
    "a notebook that climbs": HEAD + "notebooks: {each: {../../etc/passwd: {}}}\n",
    "a date for a grid": "grid: 2020-99-99\n",
    "a tag of Python": "grid: !!python/object/apply:os.system [true]\n",
    "an odd tag": "grid: !!int ''\n",
    "control characters": "grid: \x07\x1b[2J\n",
    "binary": "\udcff\udcfe\x00",
    "nothing": "",
    "a text": "grid",
    "a list": "- 1\n",
    "keys of all types": "? [1, 2]\n: 3\n? null\n: 4\n? {a: b}\n: 5\n",
    "an unknown key of 50,000 characters": "? " + "k" * 50_000 + "\n: 1\n",
    "a megabyte": "# " + "x" * 1_000_000 + "\n" + HEAD,
    "10,000 keys": "".join(f"k{n}: 1\n" for n in range(10_000)),
    "two documents": HEAD + "---\n" + HEAD,
}


def plan(path, capsys, monkeypatch) -> tuple[int, str]:
    """The exit status of `mtalign plan`, and what it said on standard error."""
    monkeypatch.setattr(sys, "argv", ["mtalign", "plan", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


@pytest.fixture(scope="module", autouse=True)
def _imported():
    import mtalign.study.plan  # noqa: F401 (its time is no file's)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_grid_file_is_refused_in_one_line(name, tmp_path, capsys, monkeypatch):
    path = tmp_path / "hostile.yaml"
    path.write_bytes(HOSTILE[name].encode(errors="surrogateescape"))
    began = time.process_time()
    status, said = plan(path, capsys, monkeypatch)
    assert time.process_time() - began < 5
    assert status == 2 and said.count("\n") == 1 and "hostile.yaml" in said and len(said) < LONGEST + 50


def test_aliases_of_aliases_take_little_memory(tmp_path):
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMB + "grid: *a11\n")
    code = (
        "import sys; from pathlib import Path; from mtalign.config.grid import load_grid\n"
        "try: load_grid(sys.argv[1])\n"
        "except ValueError: print(Path('/proc/self/status').read_text())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[
        1
    ]  # of this process alone; getrusage counts the test's own before
    assert int(peak) * 1024 < 500e6


def test_a_person_can_ask_for_more_runs_than_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "many.yaml"
    path.write_text(HEAD.replace("[0]", f"{list(range(10_001))}"))
    with pytest.raises(ConfigError, match=r"20002 runs are more than 20000; .* MTALIGN_MAX_RUNS=20002$"):
        load_grid(path)
    path.write_text(HEAD)
    monkeypatch.setenv("MTALIGN_MAX_RUNS", "1")
    with pytest.raises(ConfigError, match="2 runs are more than 1"):
        load_grid(path)
    monkeypatch.setenv("MTALIGN_MAX_RUNS", "2")
    assert len(load_grid(path).runs) == 2


@pytest.mark.parametrize("name", ["mine", "no-box", "w_reinforce.2", "A1"])
def test_a_plain_name_of_an_arm_is_taken(name, tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(HEAD.replace("standard", name) + f"arms: {{{name}: {{reward: random}}}}\n")
    assert name in {run.arm for run in load_grid(path).runs}


WORDS = ["grid", "fixed", "arms", "notebooks", "resources", "model", "task", "arm", "seed", "title", "each", "final"]
NAMES = [*WORDS, "max_steps", "epsilon", "micro-a", "ordering", "base", "standard", "reward", "01_alignment", "block"]
LEAVES = st.one_of(
    st.sampled_from(NAMES), st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=8), st.dates()
)
VALUES = st.recursive(
    LEAVES,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), v, max_size=4),
)
NEAR = st.fixed_dictionaries(  # nearly a grid: what the deeper checks see
    {"grid": st.just(yaml.safe_load(HEAD)["grid"])},
    optional={
        "fixed": st.dictionaries(st.sampled_from(["max_steps", "epsilon", "beta", "k", "seed"]) | LEAVES, LEAVES),
        "arms": st.dictionaries(LEAVES, st.dictionaries(st.sampled_from(["reward", "k", "subset"]), LEAVES)),
        "notebooks": st.dictionaries(st.sampled_from(["each", "final"]), st.dictionaries(LEAVES, VALUES)),
        "resources": VALUES,
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.dictionaries(st.sampled_from(WORDS[:5]), VALUES, max_size=5) | VALUES | NEAR)
def test_any_yaml_is_a_grid_or_one_line(content, tmp_path, capsys, monkeypatch):
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8", errors="replace")
    began = time.process_time()
    status, said = plan(path, capsys, monkeypatch)
    assert time.process_time() - began < 5
    assert status == 0 or (status == 2 and said.count("\n") == 1)
