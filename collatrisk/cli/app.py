"""The commands and their options. Whatever is heavy is imported inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collatrisk.cli import talk
from collatrisk.cli.guard import CODES, guarded

app = typer.Typer(
    name="collatrisk",
    help=f"VaR/ES stress testing of collateral: from prices to a signed-off report.\n\n{CODES}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyPath = Annotated[Path, typer.Argument(help="A study file.", metavar="STUDY.TOML", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Workers = Annotated[int | None, typer.Option(help="Threads. All processors if absent.", min=1, max=1024)]
Out = Annotated[Path, typer.Option(help="The folder for the results.")]


def _version(wanted: bool) -> None:
    if wanted:
        from collatrisk import __version__

        talk.text_out(f"collatrisk {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Options of every command."""
    talk.configure(json_output=False, debug=debug)


@app.command()
@guarded
def init(
    template: Annotated[str, typer.Argument(help="lombard or crypto-lending.")] = "lombard",
    folder: Annotated[Path, typer.Option("--in", help="Where to write.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Write a commented study file and what it needs."""
    from collatrisk.cli.start import write_template

    for path in write_template(template, folder, force=force):
        talk.say(f"wrote {path}")
    talk.say("next: collatrisk validate study.toml, then collatrisk run study.toml --out out/")


@app.command()
@guarded
def demo(out: Out = Path("out/demo"), workers: Workers = None, json: Json = False) -> int:
    """Run both example studies on real input and write their reports."""
    talk.configure(json_output=json)
    from collatrisk.cli.running import demo as run_demo, run_json

    done = run_demo(out, workers)
    for folder, result in done:
        talk.say(f"{result.study.name}: {folder / 'report.html'}", "bold green")
    if json:
        talk.json_out({"studies": [run_json(result, folder) for folder, result in done]})
    return max(result.exit_code for _, result in done)


@app.command()
@guarded
def run(
    study: StudyPath,
    out: Out = Path("out"),
    workers: Workers = None,
    seed: Annotated[int | None, typer.Option(help="In place of the study's own.", min=0)] = None,
    paths: Annotated[int | None, typer.Option(help="Paths, in place of the study's own.", min=2)] = None,
    json: Json = False,
) -> int:
    """Run a study: report.html, report.json and tables/*.csv. Run again after a kill, it goes on."""
    talk.configure(json_output=json)
    from collatrisk.cli.running import run_file, run_json

    result = run_file(study, out, workers=workers, seed=seed, n_paths=paths)
    if json:
        talk.json_out(run_json(result, out))
    return result.exit_code


@app.command()
@guarded
def validate(study: StudyPath, json: Json = False) -> None:
    """Check a study file and its data without simulating: every mistake at once."""
    talk.configure(json_output=json)
    from collatrisk.base.findings import Finding
    from collatrisk.cli.running import validate as check

    body = check(study)
    counts = f"{talk.counted(len(body['books']), 'book')}, {talk.counted(len(body['terms']), 'term sheet')}"
    talk.say(f"{study}: in order ({counts}, assets {', '.join(body['assets'])})", "green")
    talk.findings([Finding.from_dict(one) for one in body["findings"]])
    if json:
        talk.json_out(body)


@app.command()
@guarded
def stress(
    study: Annotated[Path | None, typer.Argument(help="A study file.", metavar="STUDY.TOML")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the catalogue instead.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the table as CSV.", dir_okay=False)] = None,
    workers: Workers = None,
    json: Json = False,
) -> int:
    """Apply scenarios to the books of a study."""
    talk.configure(json_output=json)
    from collatrisk.cli.stressing import catalogue, stress_study

    return catalogue(json) if list_ else stress_study(study, tuple(scenario or ()), out, workers, json)


@app.command()
@guarded
def calibrate(
    prices: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet.", metavar="PRICES", show_default=False)],
    out: Annotated[Path, typer.Option(help="The model file to write.")] = Path("model.json"),
    clock: Annotated[str | None, typer.Option(help="24/7 or business. Found from the dates if absent.")] = None,
    volatility: Annotated[
        str, typer.Option(help="garch (GJR), tgarch, egarch, aparch, figarch, ewma, riskmetrics2006, constant or peg.")
    ] = "garch",
    dependence: Annotated[
        str, typer.Option(help="student-t, gaussian, independent, dcc, ewma or filtered-historical.")
    ] = "student-t",
    tails: Annotated[
        float | None, typer.Option(help="Pareto tails beyond this share of the residuals, say 0.1.")
    ] = None,
    season: Annotated[
        bool, typer.Option("--season", help="Take the season of the week out, back in on paths.")
    ] = False,
    per_asset: Annotated[list[str] | None, typer.Option(help="ASSET=MODEL; may be repeated.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="Only this asset; may be repeated.")] = None,
    until: Annotated[str | None, typer.Option(help="The last date to use, such as 2023-12-31.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the prices come from, for the provenance.")] = None,
    history: Annotated[str, typer.Option(help="common dates, or each asset's own.")] = "common",
    margins: Annotated[str, typer.Option(help="law or ranks, for the fit of the dependence.")] = "law",
    spot: Annotated[bool, typer.Option("--spot/--no-spot", help="Keep the last prices, or write 1.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the model file.")] = False,
    json: Json = False,
) -> None:
    """Fit a market model to prices and save it with its provenance."""
    talk.configure(json_output=json)
    from collatrisk.cli.calibrating import Choices, calibrate as fit
    from collatrisk.cli.saving import new_file, shown

    new_file(out, force)
    choices = Choices(
        clock=clock,
        volatility=volatility,
        dependence=dependence,
        per_asset=tuple(per_asset or ()),
        assets=tuple(asset or ()),
        until=until,
        source=source,
        history=history,
        margins=margins,
        spot=spot,
        tails=tails,
        season=season,
    )
    model, findings = fit(prices, choices)
    model.save(out)
    talk.findings([*findings, *model.findings])
    talk.say(f"wrote {out}: {model.dependence.describe()}, {len(model.assets)} assets", "green")
    if json:
        talk.json_out(shown(model, out))


@app.command()
@guarded
def schema() -> None:
    """Print the JSON schema of study files, for editors."""
    from json import dumps

    from collatrisk.study import study_schema

    talk.text_out(dumps(study_schema(), indent=2))


@app.command()
@guarded
def warmup(
    processes: Annotated[
        int | None, typer.Option(help="That compile at once. One a processor, four at most, if absent.", min=1, max=64)
    ] = None,
) -> None:
    """Compile the kernels for this processor now, so that later runs start at once."""
    from collatrisk.cli.start import compile_kernels

    compile_kernels(processes)
