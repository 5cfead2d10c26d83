"""The documentation, where it could become outdated."""

import re
import tomllib
from pathlib import Path

import app as application
from docs import schema

ROOT = Path(__file__).parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def read(name):
    return (ROOT / name).read_text()


def test_the_schema_page_is_up_to_date():
    assert schema.FILE.read_text() == schema.build(), "Run: python -m docs.schema"


def test_the_schema_page_names_every_column():
    page = schema.build()

    for table in schema.Base.metadata.sorted_tables:
        section = page.partition(f"## `{table.name}`\n")[2].partition("\n## ")[0]
        assert [column.name for column in table.c if f"| `{column.name}` |" not in section] == []


def test_the_version_is_the_same_everywhere(ana, run):
    changes = re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)

    assert application.app.config["VERSION"] == VERSION
    assert changes[1] == VERSION
    assert f"Ledger {VERSION}, " in run("doctor")[1]
    assert f"Ledger {VERSION}" in ana.get("/account").get_data(as_text=True)


def test_the_version_is_shown_only_to_users(stranger):
    for target in ("/login", "/register", "/nowhere"):
        assert VERSION not in stranger.get(target).get_data(as_text=True)


def test_the_readme_names_every_module_and_folder():
    layout = read("README.md").partition("## Project layout")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([\w.]+?)/?`", layout))
    modules = {path.name for path in ROOT.glob("*.py")} - {"gunicorn.conf.py"}
    folders = {path.parent.relative_to(ROOT).parts[0] for path in ROOT.glob("*/*.py")}

    assert sorted((modules | folders | {"templates", "static", "migrations", "deploy"}) - named) == []


def test_the_readme_names_only_files_that_exist():
    layout = read("README.md").partition("## Project layout")[2].partition("\n## ")[0]
    first_cells = re.findall(r"^\|([^|]+)\|", layout, re.MULTILINE)
    paths = [path for cell in first_cells for path in re.findall("`([^`]+)`", cell)]

    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_documentation_names_constants_where_they_are_defined():
    pages = "".join(path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    named = re.findall(r"`([A-Z_]+)` in `([\w/]+\.py)`", pages)

    assert len(named) > 8
    for name, file in named:
        assert re.search(rf"^(.*, )?{name}\b.* = ", read(file), re.MULTILINE), f"{name} is not in {file}"
