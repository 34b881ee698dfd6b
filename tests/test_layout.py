"""The house: wings import only lower floors, files never import in a circle, and code imports files, not faces."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from mtalign.config import paths

FLOORS = [  # from the ground up; a wing imports only wings of lower floors
    {"grading", "speed", "metrics", "stats", "subsets", "advantages"},
    {"rewards"},
    {"released"},
    {"config"},
    {"tasks"},
    {"records", "models"},
    {"claims", "generation"},
    {"training", "diagnosis"},
    {"runs"},
    {"notebook"},
    {"report"},
    {"study"},
    {"cli"},
]
FLOOR = {wing: number for number, wings in enumerate(FLOORS) for wing in wings}
FACES = {"__init__", "__main__"}


def modules(package: Path) -> dict[str, Path]:
    """Dotted names below the package -> files: `config.run` for config/run.py; `config` for its face."""
    names = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__") or "mtalign"] = path
    return names


def imports(path: Path) -> set[str]:
    """Dotted names below the package that a file imports, in functions too; what `from x import y` means is left open."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("mtalign.") for name in found if name.startswith("mtalign.")}


def arrows(package: Path) -> dict[str, set[str]]:
    """File -> the files that it imports; a name that is no file counts for the file or face that holds it."""
    known = modules(package)
    graph = {}
    for name, path in known.items():
        targets = {each if each in known else each.rpartition(".")[0] for each in imports(path)}
        graph[name] = {target for target in targets if target in known} - {name}
    return graph


def faces(package: Path) -> set[str]:
    """Names of wings that are folders."""
    return {path.parent.name for path in package.glob("*/__init__.py")}


def upward(package: Path) -> list[str]:
    """Imports of the same or a higher floor."""
    wrong = []
    for name, targets in arrows(package).items():
        wing = name.partition(".")[0]
        if wing in FACES or wing == "mtalign":
            continue
        for other in sorted({target.partition(".")[0] for target in targets} - {wing}):
            if FLOOR[other] >= FLOOR[wing]:
                wrong.append(f"{name} imports {other}")
    return wrong


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of files, or nothing."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if found := walk(target, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_every_wing_has_its_floor():
    assert {name.partition(".")[0] for name in modules(paths.PACKAGE)} - FACES - {"mtalign"} == set(FLOOR)


def test_no_wing_imports_its_own_floor_or_a_higher_one():
    assert upward(paths.PACKAGE) == []


def test_no_files_import_each_other_in_a_circle():
    assert circle(arrows(paths.PACKAGE)) == []


def test_code_imports_files_and_never_the_face_of_a_wing():
    wings = faces(paths.PACKAGE)
    wrong = [
        f"{name} imports the face of {target}"
        for name, targets in arrows(paths.PACKAGE).items()
        if name not in wings | FACES
        for target in targets & wings
    ]
    assert wrong == []


def test_files_stay_short():
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules(paths.PACKAGE).items()}
    assert {name: number for name, number in lines.items() if number > 300} == {}


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("grading/new.py", "from mtalign.tasks.base import Task", "grading.new imports tasks"),
        ("claims/new.py", "def f():\n    from mtalign.report import html", "claims.new imports report"),
        ("runs/new.py", "import mtalign.study.plan", "runs.new imports study"),
    ],
)
def test_an_import_upward_is_found_wherever_it_stands(tmp_path, file, code, complaint):
    for name in ("grading", "tasks", "claims", "report", "runs", "study"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    for name in ("tasks/base.py", "report/html.py", "study/plan.py"):
        (tmp_path / name).touch()
    (tmp_path / file).write_text(code, encoding="utf-8")
    assert upward(tmp_path) == [complaint]


def test_a_circle_of_files_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def test_finding_finished_runs_imports_no_torch_and_no_trl():
    code = "import sys, mtalign.runs.pool; assert not {'torch', 'trl', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)  # every notebook's kernel would pay for it
