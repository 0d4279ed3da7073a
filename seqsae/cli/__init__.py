"""The command line: parse, call, print. No logic, and nothing heavy imported before a command runs."""

import errno
import sys

import typer

from seqsae.cli import audit, concepts, faithfulness, models, probe, rate, release, studies, tools  # noqa: F401  they hang their commands on `app`
from seqsae.cli.app import app
from seqsae.errors import SeqsaeError, one_line
from seqsae.progress import shown

UsageError = typer.BadParameter.__base__  # click's own, wherever typer has it from


def main() -> None:
    """Entry point: 0 done, 1 failed check, 2 bad input with one line that says what and how to mend it."""
    try:
        with shown():
            code = app(standalone_mode=False)
        if code == 130:  # typer's own answer to an interrupt
            raise KeyboardInterrupt
        sys.exit(code or 0)
    except SeqsaeError as error:
        _fail(str(error))
    except UsageError as error:
        if error.format_message().startswith("Usage:"):  # no command was given: the help is the answer
            typer.echo(error.format_message())
            sys.exit(2)
        _fail(f"{error.format_message()} (see seqsae --help)")
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("seqsae: stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except OSError as error:
        _fail(_told(error))


def _told(error: OSError) -> str:
    remedy = {
        errno.ENOSPC: "the disk is full: free space and run again, finished parts are kept",
        errno.EDQUOT: "the disk quota is used up: free space and run again, finished parts are kept",
        errno.EFBIG: "the file grows beyond the allowed size: raise the limit and run again, finished parts are kept",
        errno.EACCES: "no permission: choose another --out or change the permissions",
        errno.EROFS: "the file system is read-only: choose another --out",
    }.get(error.errno, "check the path and run again")
    return f"{error.filename or 'writing'}: {error.strerror or error}; {remedy}"


def _fail(line: str) -> None:
    typer.echo(f"seqsae: error: {one_line(line)}", err=True)
    sys.exit(2)
