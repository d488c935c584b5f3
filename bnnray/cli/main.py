"""The command line: parse, call one function of the library, print. One file a command."""

from __future__ import annotations

import sys
import traceback

import typer

from bnnray.cli import (
    check_proof,
    compact,
    config,
    import_,
    query,
    run,
    status,
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
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("query")(query.query)
app.command("compact")(compact.compact)
app.command("check-proof")(check_proof.check_proof)
app.command("verify")(verify.verify)
app.command("train")(train.train)
app.command("import")(import_.import_)
app.command("config")(config.config)
app.command("warmup")(warmup.warmup)
app.command("version")(version.version)


def main() -> None:
    """Runs the command line; a user's mistake is one line and its exit code, never a traceback."""
    try:
        app()
    except BnnrayError as error:
        if isinstance(error, BugError):
            _report_bug()
        print(f"bnnray: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output, such as head, has seen enough
    except Exception:
        _report_bug()
        sys.exit(BnnrayError.exit_code)


def _report_bug() -> None:
    traceback.print_exc()
    print("bnnray: this is a bug in bnnray; please report it with the lines above", file=sys.stderr)


if __name__ == "__main__":
    main()
