"""Which way imports point, and what every module promises."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("armt_core", "storage", "ingest", "app", "training", "benchmarks")
ALLOWED = {
    "armt_core": set(),
    "storage": {"armt_core"},
    "ingest": {"armt_core", "storage"},
    "app": {"armt_core", "storage", "ingest"},
    "training": {"armt_core", "storage", "ingest", "app"},
    "benchmarks": {"armt_core", "storage", "ingest", "app", "training"},
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_only_from_the_app_towards_the_model(package: str):
    for path in modules(package):
        wrong = (imported(path) & set(PACKAGES)) - {package} - ALLOWED[package]
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def test_the_model_knows_nothing_of_databases_documents_or_pages_on_screen():
    outside = {"sqlalchemy", "alembic", "sqlite3", "gradio", "pypdf", "pypdfium2", "langchain_core"}
    for path in modules("armt_core"):
        assert not imported(path) & outside, path


def test_only_the_interface_knows_gradio_and_only_storage_the_database():
    for package in PACKAGES:
        for path in modules(package):
            names = imported(path)
            if "gradio" in names:
                assert package == "app" and path.parent.name == "ui", path
            if names & {"sqlalchemy", "alembic"}:
                assert package == "storage", path


def test_every_module_and_public_function_says_what_it_is():
    for package in PACKAGES:
        for path in modules(package):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if not tree.body:
                continue
            assert ast.get_docstring(tree) or "migrations" in path.parts, path
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                    documented = ast.get_docstring(node) or "migrations" in path.parts
                    assert documented, f"{path.relative_to(ROOT)}: {node.name} has no docstring"


def test_no_source_file_is_longer_than_300_lines():
    for package in PACKAGES:
        for path in modules(package):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 300, f"{path.relative_to(ROOT)} has {lines} lines"


def test_importing_app_is_the_package_and_loads_no_model():
    code = (
        "import sys, app, ingest, storage, armt_core; assert app.__file__.endswith('__init__.py');"
        "assert 'torch' not in sys.modules and 'gradio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
