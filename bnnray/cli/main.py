"""The command line: parse, call one function of the library, print. One file a command."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import typer

from bnnray.cli import (
    cancel,
    check_proof,
    compact,
    compare,
    config,
    dashboard,
    doctor,
    export,
    import_,
    init,
    jobs,
    list_,
    logs,
    query,
    report,
    run,
    show,
    status,
    submit,
    train,
    verify,
    version,
    warmup,
)
from bnnray.errors import BnnrayError, BugError

app = typer.Typer(
    name="bnnray",
    help="Attack and verify binarized neural networks: thousands of searches with cutoffs, on Ray.",
    epilog="Start with: bnnray run jobs/quickstart.toml",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("submit", context_settings={"allow_extra_args": True})(submit.submit)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("cancel")(cancel.cancel)
app.command("dashboard")(dashboard.dashboard)
app.command("query")(query.query)
app.command("report")(report.report)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("export")(export.export)
app.command("list")(list_.list_)
app.command("jobs")(jobs.jobs)
app.command("compact")(compact.compact)
app.command("check-proof")(check_proof.check_proof)
app.command("verify")(verify.verify)
app.command("train")(train.train)
app.command("import")(import_.import_)
app.command("config")(config.config)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("warmup")(warmup.warmup)
app.command("version")(version.version)


FIRST = """\
bnnray attacks and verifies binarized neural networks.

  bnnray init                          copies job files and templates here, never over a file
  bnnray jobs                          the job files at hand
  bnnray run jobs/quickstart.toml      run one: about a minute, no download
  bnnray report quickstart             its statistics and figures as one HTML file

bnnray --help lists every command, bnnray COMMAND --help explains one."""


@app.callback()
def first(context: typer.Context) -> None:
    """Attack and verify binarized neural networks: thousands of searches with cutoffs, on Ray."""
    if context.invoked_subcommand is None:
        typer.echo(FIRST)


def main() -> None:
    """Runs the command line; a user's mistake is one line and its exit code, never a traceback."""
    try:
        sys.exit(app(standalone_mode=False, prog_name="bnnray"))
    except BnnrayError as error:
        if isinstance(error, BugError):
            _report_bug()
        print(f"bnnray: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output, such as head, has seen enough
    except Exception as error:
        if hasattr(error, "format_message"):  # a wrong command or option, whatever typer calls it
            _refuse(error)
        _report_bug()
        sys.exit(BnnrayError.exit_code)


def _refuse(error: Any) -> None:
    """A wrong command or option: one line."""
    context = getattr(error, "ctx", None)
    asked = "bnnray" if context is None or not context.parent else f"bnnray {context.info_name}"
    print(f"bnnray: {error.format_message().rstrip('.')} (see {asked} --help)", file=sys.stderr)
    sys.exit(error.exit_code)


def _report_bug() -> None:
    traceback.print_exc()
    print("bnnray: this is a bug in bnnray; please report it with the lines above", file=sys.stderr)


if __name__ == "__main__":
    main()
