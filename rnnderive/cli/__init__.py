"""The command line: what the package does, said in one line each; thin.

A command is a module here, imported below in the order in which ``--help`` lists it.  What is heavy is
imported inside the commands.  Exit status: 0 when what was asked holds, 1 when a check fails, 2 when the
input is wrong, 130 when interrupted.
"""

from rnnderive.cli.app import app, main

# isort: off
from rnnderive.cli import cells
from rnnderive.cli.derive import View
from rnnderive.cli import code
from rnnderive.cli import check
from rnnderive.cli import verify
from rnnderive.cli import vectors
from rnnderive.cli import chain
from rnnderive.cli import sweep
from rnnderive.cli import report
# isort: on

__all__ = ["View", "app", "main"]
