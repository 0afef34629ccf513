"""The notebooks run from top to bottom on a real cluster and show what they promise."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def test_there_are_two_notebooks_and_they_are_stored_without_outputs():
    assert [path.stem for path in NOTEBOOKS] == ["review_a_change", "vote_over_a_table"]
    for path in NOTEBOOKS:
        for cell in read(path).cells:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None, path.name


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Jupyter's own warnings are not ours
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_to_its_end(path: Path, tmp_path: Path):
    from nbclient import NotebookClient

    notebook = read(path)
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    shown = "".join(
        str(output.get("data", {}).get("text/html", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    assert "swarm card" in shown
    assert "iframe" in shown or "dataframe" in shown
