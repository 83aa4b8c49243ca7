from __future__ import annotations

from dermoscope.evaluation.intervals import Estimate
from dermoscope.evaluation.report.document import Section, Table
from dermoscope.evaluation.report.markup import to_latex, to_markdown

TABLE = Table(
    "scores",
    "50 % of A_B",
    ("Name", "Value"),
    (("a|b <i>", Estimate(0.5, 0.4, 0.6, 9, 9)), ("c_d & 5 %", 7)),
    "A note.",
)
SECTIONS = (Section("s", "Scores", "What was asked.", (TABLE,), (), ("A limit.",)),)


def test_markdown() -> None:
    found = to_markdown("Title", {"Data": "x"}, SECTIONS)
    assert found.startswith("# Title\n\n- **Data**: x\n\n## Scores\n\nWhat was asked.\n\n**50 % of A_B**\n\n")
    assert "| Name | Value |\n| --- | ---: |\n| a\\|b &lt;i> | 0.500 (0.400 to 0.600) |\n| c_d & 5 % | 7 |\n" in found
    assert found.endswith("A note.\n\n- A limit.\n")


def test_latex() -> None:
    found = to_latex({"Data": "x\n\\input{evil}"}, SECTIONS)
    assert found.startswith("% Data: x \\input{evil}\n% Needs"), "a line end must not end the comment"
    assert "\\caption{Scores. 50 \\% of A\\_B. A note.}" in found
    assert "\\label{tab:scores}\n\\begin{tabular}{lr}" in found
    assert "a|b \\textless{}i\\textgreater{} & 0.500 {\\scriptsize (0.400 to 0.600)} \\\\" in found
    assert "c\\_d \\& 5 \\% & 7 \\\\" in found
    assert found.count("\\begin{table}") == found.count("\\end{table}") == 1
