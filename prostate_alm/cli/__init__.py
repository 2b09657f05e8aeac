"""The command line: parse, call, print. Heavy imports stay inside the commands, so that --help is quick."""

from prostate_alm.cli.app import main

__all__ = ["main"]
