"""The tables of a report as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dermoscope.evaluation.intervals import Difference, Estimate
from dermoscope.evaluation.report.document import Cell, Section, Table, interval, number, text

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "°": r"$^\circ$",
    "↓": r"$\downarrow$",
}


def to_markdown(title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """All tables, for a README or an issue.

    Args:
        title: Head of the document.
        facts: What was scored and how.
        sections: In order.
    """
    lines = [f"# {title}", "", *(f"- **{name}**: {_markdown(fact)}" for name, fact in facts.items())]
    for section in sections:
        lines += ["", f"## {section.title}", "", section.lead]
        for table in section.tables:
            lines += ["", f"**{table.caption}**", "", *_markdown_table(table)]
            lines += ["", table.note] if table.note else []
        lines += ["", *(f"- {note}" for note in section.notes)] if section.notes else []
    return "\n".join(lines) + "\n"


def to_latex(facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    r"""All tables, for a paper: `\input` the file; it needs the packages booktabs and caption.

    Args:
        facts: What was scored and how; as comments.
        sections: In order.
    """
    head = [f"% {name}: {' '.join(fact.split())}" for name, fact in facts.items()]
    lines = [*head, r"% Needs \usepackage{booktabs}."]
    for section in sections:
        for table in section.tables:
            lines += ["", *_latex_table(section, table)]
    return "\n".join(lines) + "\n"


def _markdown_table(table: Table) -> list[str]:
    head = "| " + " | ".join(_markdown(column) for column in table.columns) + " |"
    rule = "| --- |" + " ---: |" * (len(table.columns) - 1)
    rows = [
        "| " + " | ".join(_markdown(text(cell, table.digits_of(n))) for n, cell in enumerate(row)) + " |"
        for row in table.rows
    ]
    return [head, rule, *rows]


def _markdown(value: str) -> str:
    value = value.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return value.replace("<", "&lt;").replace("*", "\\*").replace("`", "\\`")


def _latex_table(section: Section, table: Table) -> list[str]:
    note = f" {table.note}" if table.note else ""
    head = " & ".join(_latex(column) for column in table.columns)
    rows = [" & ".join(_latex_cell(cell, table.digits_of(n)) for n, cell in enumerate(row)) for row in table.rows]
    return [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(f'{section.title}. {table.caption}.{note}')}}}",
        rf"\label{{tab:{table.key}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _latex_cell(cell: Cell, digits: int) -> str:
    if isinstance(cell, Estimate | Difference) and (ends := interval(cell, digits)):
        return f"{_latex(number(cell.value, digits))} {{\\scriptsize ({_latex(ends)})}}"
    return _latex(text(cell, digits))


def _latex(value: str) -> str:
    return "".join(_LATEX.get(character, character) for character in value.replace("\n", " "))
