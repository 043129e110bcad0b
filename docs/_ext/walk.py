"""Write the reference pages by walking what there is: names, designs, effects, instruments, data sets, commands."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import catalogue
from sphinx.application import Sphinx

import sweval as sw
from sweval.data.datasets import about
from sweval.models.base.design import kinds


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _auto(directive: str, name: str, *options: str) -> str:
    body = "\n".join(f"   {option}" for option in options)
    return f"```{{eval-rst}}\n.. {directive}:: {name}\n{body}\n```"


def _functions() -> str:
    names = [name for name in dir(sw) if inspect.isfunction(getattr(sw, name))]
    plots = [name for name in sw.plots.__all__ if _draws(getattr(sw.plots, name))]
    parts = ["# Functions", "All of them hang on the package: `import sweval as sw`, then `sw.read(...)`."]
    parts += [f"## {name}\n\n" + _auto("autofunction", f"sweval.{name}") for name in names]
    parts += [
        f"## plots.{name}\n\n" + _auto("autofunction", f"{getattr(sw.plots, name).__module__}.{name}") for name in plots
    ]
    parts += ["## Study\n\n" + _auto("autoclass", "sweval.study.Study", ":members:")]
    return "\n\n".join(parts)


def _draws(member: object) -> bool:
    """Tell whether a function gives Axes to the reader."""
    return inspect.isfunction(member) and inspect.signature(member).return_annotation == "Axes"


def _designs() -> str:
    parts = ["# Designs", "`kind` in a study file is the file's name; its keys are the fields of the class."]
    parts += ["## fit", _auto("automethod", "sweval.models.base.comparison.Comparison.fit")]
    for kind, design in sorted(kinds().items()):
        fields = [
            (f"`{field.name}`", f"`{field.type}`", "required" if _required(field) else f"`{_default(field)!r}`")
            for field in dataclasses.fields(design)
        ]
        heading = f'## {design.__name__}\n\nIn a study file: `kind = "{kind}"`.'
        name = f"{design.__module__}.{design.__qualname__}"
        parts += [heading, _auto("autoclass", name), _table(["field", "type", "default"], fields)]
    return "\n\n".join(parts)


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: dataclasses.Field) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _effects() -> str:
    parts = ["# Effects", "Effects as functions of arrays or of reported numbers: `sw.effects.<name>(...)`."]
    members = {name: getattr(sw.effects, name) for name in dir(sw.effects)}
    for name, member in members.items():
        if not (inspect.isfunction(member) or inspect.isclass(member)):
            continue
        directive = "autofunction" if inspect.isfunction(member) else "autoclass"
        parts.append(f"## {name}\n\n" + _auto(directive, f"{member.__module__}.{name}"))
    return "\n\n".join(parts)


def _results() -> str:
    return "\n\n".join(
        [
            "# Results",
            "Every fit returns a `Result` of identical rows. The columns of `tidy()` are the fields of `Estimate`, in "
            "this order and always all of them; those of `glance()` are the fields of `Fit`.",
            *(
                f"## {name}\n\n" + _auto("autoclass", f"sweval.result.{name}", *options)
                for name, options in {"Result": [":members:"], "Estimate": [], "Fit": []}.items()
            ),
            "## KeyAudit\n\n" + _auto("autoclass", "sweval.scoring.key_audit.KeyAudit", ":members:"),
        ]
    )


def _datasets() -> str:
    parts = ["# Data sets", "They come with the package: `sw.dataset(name)`, `sweval datasets`."]
    for name, title in sw.datasets()[["name", "title"]].itertuples(index=False):
        facts = about(name)
        parts += [
            f"## {name}",
            f"**{title}.** {facts['describes'].strip()}",
            f"{facts['rows']} rows. Origin: {facts['origin']}. Licence: {facts['licence']}. "
            f"To reproduce: {facts['reproduces']}.",
            _table(["column", "what it is"], [(f"`{key}`", text) for key, text in facts["columns"].items()]),
        ]
    return "\n\n".join(parts)


def _help(*command: str) -> str:
    run = [sys.executable, "-m", "sweval.cli", *command, "--help"]
    environment = {"TERM": "dumb", "COLUMNS": "100", "NO_COLOR": "1", "LANG": "C.UTF-8"}
    return subprocess.run(run, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def _command_line() -> str:
    from typer.main import get_command

    from sweval.cli import app

    parts = [
        "# Command line",
        "Exit code 0: done. 1: the study or the data are wrong, and one message says how. 2: wrong usage.",
    ]
    for command in [(), *((name,) for name in get_command(app).commands)]:
        parts.append(f"## {' '.join(['sweval', *command])}\n\n```text\n{_help(*command)}\n```")
    return "\n\n".join(parts)


PAGES = {
    "functions": _functions,
    "designs": _designs,
    "effects": _effects,
    "results": _results,
    "datasets": _datasets,
    "command_line": _command_line,
}


def write_pages(app: Sphinx) -> None:
    """Write every page whose text has changed, and take away the pages of what is there no longer."""
    folder = Path(app.srcdir) / "reference" / "generated"
    texts = {name: make() for name, make in PAGES.items()} | catalogue.pages()
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).with_suffix("").as_posix() not in texts:
            path.unlink()
    for name, made in texts.items():
        path, text = folder / f"{name}.md", made + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call `write_pages` before it looks for sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
