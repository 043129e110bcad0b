"""The command line: read arguments, call the library, print.

Exit codes: 0 done, 1 the study or the data are wrong (one message on stderr), 2 wrong usage.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sweval.errors import OutputError, SwevalError, SwevalWarning

if TYPE_CHECKING:
    import pandas as pd

    from sweval.scoring.score import Asked
    from sweval.study import Study

_WIDTH = 100
_NARROW = 80
_SCORED_AS = (".csv", ".parquet")


class _Commands(TyperGroup):
    """Turns an error of ours into one message and exit code 1; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with _plain_warnings():
                return super().invoke(ctx)
        except SwevalError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


class _SpreadMissing(TyperCommand):
    """Reads `--missing 9 99` as `--missing 9 --missing 99`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option name before every further code."""
        spread: list[str] = []
        codes = -1
        for argument in args:
            codes = 0 if argument == "--missing" else codes + 1 if codes >= 0 and _is_code(argument) else -1
            spread += ["--missing", argument] if codes > 1 else [argument]
        return super().parse_args(ctx, spread)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Does social work help? From a client file to one table of effects, direct service beside indirect.",
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from sweval import __version__

        typer.echo(f"sweval {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to copy the embedded study to.")] = Path("sweval-demo"),
) -> None:
    """Run the embedded study. It is copied to a folder first, where you can change it."""
    from sweval.data.datasets import folder
    from sweval.data.write import write_bytes

    source = folder("harbour")
    names = ("study.toml", "clients.sav")
    changed = [name for name in names if _exists(out / name) and not _same(out / name, source / name)]
    if changed:
        raise OutputError(
            f"{', '.join(changed)} is there already and differs from the embedded study.",
            where=str(out),
            fix=f"Run it with: sweval run {out / 'study.toml'}. Or name another folder with --out.",
        )
    if out.exists() and not out.is_dir():
        raise OutputError("this is a file, not a folder.", where=str(out), fix="Name another folder with --out.")
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not _exists(out / name):
            write_bytes(out / name, (source / name).read_bytes())
    typer.echo(f"The study is in {out / 'study.toml'}: copy it beside your own data and change the names.")
    run(out / "study.toml")


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="The study file.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report. [default: STUDY-results beside the study file]")
    ] = None,
) -> None:
    """Run a study. Writes its report to a folder."""
    from sweval.reporting.report import report

    folder = out if out is not None else study.parent / f"{study.stem}-results"
    with _earlier_results_named(folder):
        declared = _read(study)
        with _progress("Running") as progress:
            result = declared.run(progress=progress)
    paths = report(
        result,
        folder,
        title=declared.title,
        language=declared.language,
        formats=declared.report.formats,
        small_cells=declared.report.small_cells,
        inputs=declared.inputs(),
    )
    _print_effects(result.tidy(), language=declared.language, small_cells=declared.report.small_cells)
    _print_pressing(result.notes)
    if result.notes:
        typer.echo(f"\n{len(result.notes)} notes say what was dropped, recoded or assumed; they are in the report.")
    shown = next((path for path in paths if path.suffix == ".html"), paths[0])
    typer.echo(f"\nReport: {shown}\nAll files: {', '.join(path.name for path in paths)}")


@app.command()
def check(study: Annotated[Path, typer.Argument(help="The study file.", show_default=False)]) -> None:
    """Check a study. Reads, scores and fits everything, and writes nothing."""
    from sweval.reporting.report import others

    declared = _read(study)
    with _progress("Checking") as progress:
        notes = declared.check(progress=progress)
    for note in others(notes):
        typer.echo(f"- {note}")
    _print_pressing(notes)
    outcomes = sum(len(columns) for columns in map(_columns_of, declared.file.outcomes))
    typer.echo(f"\n{study.name} can be run: {len(declared.file.comparisons)} comparisons, {outcomes} outcomes.")


@app.command(cls=_SpreadMissing)
def score(  # noqa: PLR0913, PLR0917 - an option each
    file: Annotated[Path, typer.Argument(help="The data file.", show_default=False)],
    instrument: Annotated[
        str, typer.Option(help="Id of the catalogue, or path of your own .toml.", show_default=False)
    ],
    items: Annotated[str, typer.Option(help="Pattern of the item columns, as in phq_{item}.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The file to write: .csv, or .parquet.", show_default=False)],
    missing: Annotated[list[str] | None, typer.Option(help="Codes that mean missing: --missing 9 99.")] = None,
    coding: Annotated[str | None, typer.Option(help="Raw codes, as in 1-4, or the name of a coding.")] = None,
    order: Annotated[str | None, typer.Option(help="Name of another numbering of the items.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Name of a variant of the instrument, or of the column that tells it.")
    ] = None,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="You hold the owner's permission.")] = False,
) -> None:
    """Score a questionnaire. Writes the data with the score columns to a new file; Parquet part by part."""
    from sweval.data.read import read_source
    from sweval.data.write import write_bytes
    from sweval.reporting.spreadsheet_safe import csv_bytes
    from sweval.scoring.definition import instrument as find
    from sweval.scoring.request import item_columns
    from sweval.scoring.score import Asked, score_with_notes
    from sweval.study.advice import in_options

    if out.suffix.casefold() not in _SCORED_AS:
        raise OutputError(
            f'"{out.suffix}" cannot be written.', where="--out", fix="Name a file that ends in .csv or .parquet."
        )
    if _exists(out):
        raise OutputError("the file is there already.", where=str(out), fix="Name another file with --out.")
    with _advice_in_options():
        definition = find(instrument, accept_licence=accept_licence)
        if out.suffix.casefold() == ".parquet":
            codes = tuple(_code(token) for token in missing or ())
            _score_in_parts(
                file, out, Asked(instrument=definition, items=items, missing=codes, coding=coding, order=order), variant
            )
            return
        source = read_source(file)
        _refuse_words(missing or (), item_columns(definition, items, order), source.frame)
        scored = score_with_notes(
            source.frame,
            definition,
            items=items,
            missing=tuple(_code(token) for token in missing or ()),
            coding=coding,
            order=order,
            variant=variant,
            accept_licence=accept_licence,
        )
    write_bytes(out, csv_bytes(scored.frame))
    for note in (*source.notes, *scored.notes):
        typer.echo(f"- {in_options(note)}")
    typer.echo(f"{len(scored.frame)} rows with {', '.join(scored.columns)} are in {out}")


@app.command()
def codebook(file: Annotated[Path, typer.Argument(help="The data file.", show_default=False)]) -> None:
    """Show what a data file holds. Labels, codes, missing values and counts of every column."""
    from sweval.data.read import read_source

    source = read_source(file)
    _print_frame(source.codebook.frame().drop(columns="measure"))
    for note in source.notes:
        typer.echo(f"- {note}")


@app.command()
def instruments(
    words: Annotated[list[str] | None, typer.Argument(help="Words to look for.", show_default=False)] = None,
    level: Annotated[
        str | None,
        typer.Option(help="individual, family, group, organization, community, social_support or basic_needs."),
    ] = None,
    construct: Annotated[str | None, typer.Option(help="Words in what is measured.")] = None,
    licence: Annotated[
        list[str] | None,
        typer.Option(help="public_domain, cc, free, free_noncommercial, permission_required or unclear; repeatable."),
    ] = None,
) -> None:
    """List the questionnaires that can be scored. Give words to search, as in: sweval instruments family stress"""
    from sweval.reporting.plain_text import plain_catalogue
    from sweval.scoring.finder import find

    found = find(words or (), level=level, construct=construct, licences=licence or ())
    typer.echo(plain_catalogue(found, width=_NARROW))
    typer.echo(f"\n{len(found)} questionnaire{'s' * (len(found) != 1)}. How one is scored: sweval show ID")


@app.command()
def show(
    instrument: Annotated[str, typer.Argument(help="Id of the catalogue, or path of a .toml.", show_default=False)],
) -> None:
    """Show the card of one questionnaire. Items, scores, rules, bands, licence, sources, and what was not checked."""
    from sweval.scoring.definition import instrument as find

    typer.echo(find(instrument, accept_licence=True).describe())


@app.command()
def datasets() -> None:
    """List the embedded data sets."""
    from sweval.data.datasets import datasets as embedded

    _print_frame(embedded())


def _read(path: Path) -> Study:
    from sweval.study import Study

    return Study.read(path)


def _columns_of(outcome: Any) -> tuple[str, ...]:
    from sweval.study.file import columns_of

    return columns_of(outcome)


def _print_effects(tidy: pd.DataFrame, *, language: str, small_cells: int) -> None:
    from sweval.reporting.plain_text import plain_effects

    typer.echo(plain_effects(tidy, language=language, small_cells=small_cells))


def _print_frame(frame: pd.DataFrame) -> None:
    from sweval.reporting.plain_text import plain_frame

    typer.echo(plain_frame(frame, width=_WIDTH))


def _print_pressing(notes: Sequence[str]) -> None:
    from sweval.reporting.report import to_check

    pressing = to_check(notes)
    if pressing:
        typer.echo("\nPlease check:")
    for note in pressing:
        typer.echo(f"- {note}")


def _score_in_parts(file: Path, out: Path, asked: Asked, variant: str | None) -> None:
    """Score a Parquet file into another."""
    from sweval.study.advice import in_options
    from sweval.study.scored_file import empty_frame, score_parquet

    if file.suffix.casefold() != ".parquet":
        raise OutputError("only a .parquet file is scored into .parquet.", where="--out", fix="Name a .csv file.")
    empty = empty_frame(file)
    _refuse_words([str(code) for code in asked.missing], [column.name for column in asked.columns()], empty)
    with _progress("Scoring") as progress:
        done = score_parquet(
            file,
            out,
            asked,
            variant=variant,
            progress=lambda rows, all_rows: progress and progress("Scoring", rows, all_rows),
        )
    for note in done.notes:
        typer.echo(f"- {in_options(note)}")
    typer.echo(f"{done.rows} rows with {', '.join(done.columns)} are in {out}")


def _refuse_words(missing: Sequence[str], columns: Sequence[str], frame: pd.DataFrame) -> None:
    """Refuse a missing code that is no number where every item column holds numbers."""
    import pandas as pd

    words = [token for token in missing if not _is_code(token)]
    held = [frame[column] for column in columns if column in frame.columns]
    if words and held and all(pd.api.types.is_numeric_dtype(column) for column in held):
        raise SwevalError(
            f'"{words[0]}" is no number, and the items are numbers.',
            where="--missing",
            fix="Give the codes as they stand in the data: --missing 9 99.",
        )


def _is_code(token: str) -> bool:
    return token.removeprefix("-").replace(".", "", 1).isdecimal()


def _code(token: str) -> int | float | str:
    if not _is_code(token):
        return token
    return float(token) if "." in token else int(token)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _same(path: Path, other: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes() == other.read_bytes()


@contextmanager
def _advice_in_options() -> Iterator[None]:
    """Say in options of the command line what an error advises in arguments of a function."""
    try:
        yield
    except SwevalError as error:
        from sweval.study.advice import in_options

        fix = None if error.fix is None else in_options(error.fix)
        raise SwevalError(in_options(error.what), where=error.where, fix=fix) from error


@contextmanager
def _earlier_results_named(folder: Path) -> Iterator[None]:
    """Say in an error that a report of an earlier run is still in the folder."""
    try:
        yield
    except SwevalError as error:
        from sweval.reporting.folder import holds_report

        if not holds_report(folder):
            raise
        raise SwevalError(
            f"{error}\nThe results in {folder} are of an earlier run; they were left as they are."
        ) from error


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show a warning of ours as a sentence, without the place in the code."""
    show = warnings.showwarning

    def sentence(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, SwevalWarning):
            typer.echo(f"Note: {message}", err=True)
        else:
            show(message, category, *place, **more)

    warnings.showwarning = sentence
    try:
        yield
    finally:
        warnings.showwarning = show


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    """Yield a function that shows the steps on a terminal, or None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.fields[step]}", markup=False), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None, step=what)

        def tell(step: str, done: int, total: int) -> None:
            bar.update(task, step=step, completed=done, total=total)

        yield tell


if __name__ == "__main__":
    main()
