"""A command line of typed verbs with exit codes, for the three programs.

A verb imports what takes long to import, so that help is shown at once.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any, TypeVar

import typer

CUT_OFF, INTERRUPTED = 1, 130
HELP = {"help_option_names": ["-h", "--help"]}
Verb = TypeVar("Verb", bound=Callable[..., int])


class CommandLine:
    """A program of verbs, which end with an exit code and one line if they fail."""

    def __init__(
        self,
        module: str,
        failed: int,
        interrupted: str,
        fault: type[Exception] = OSError,
        told: str = "",
        epilog: str = "",
    ) -> None:
        """Let `fault` end a verb with its own `code`, an OSError with `failed`.

        `module` is run by `python -m`; `interrupted` is what ^C is answered with.
        """
        self._program = program(sys.argv[0], module)
        self._fault, self._failed, self._interrupted = fault, failed, interrupted
        self.app = typer.Typer(
            help=told,
            epilog=epilog,
            context_settings=HELP,
            add_completion=" " not in self._program,  # shells complete single words
            rich_markup_mode=None,  # with rich, help takes twice as long
            pretty_exceptions_enable=False,
        )

    def verb(self, function: Verb) -> Verb:
        """Register a function as a verb, by its name, docstring and parameter types."""

        @wraps(function)
        def ended(**given: Any) -> None:
            raise typer.Exit(self._ended(lambda: _gathered(function, given)))

        ended.__signature__ = Signature(_spread(function))  # type: ignore[attr-defined]
        self.app.command()(ended)
        return function

    def run(self, arguments: Sequence[str] | None) -> int:
        """Run the verb of `arguments`, the process's own if None; return exit code."""
        try:
            self.app(arguments, prog_name=self._program)
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    def _ended(self, act: Callable[[], int]) -> int:
        try:
            code = act()
            sys.stdout.flush()
            return int(code)
        except BrokenPipeError:
            # Its reader has gone; the interpreter would flush it again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CUT_OFF
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return _fail(f"error: {where}{error.strerror or error}", self._failed)
        except self._fault as error:
            return _fail(f"error: {error}", getattr(error, "code", self._failed))
        except KeyboardInterrupt as error:
            return _fail(str(error) or self._interrupted, INTERRUPTED)


def program(called: str, module: str) -> str:
    """Return the name under which a person called the program."""
    name = Path(called).name
    if name.startswith("kubectl-"):
        return name.replace("-", " ", 1).replace("_", "-")
    return name if name.startswith("intent-") else f"python -m {module}"


def number(told: str) -> Any:
    """An option whose value is a finite number above 0."""
    return typer.Option(parser=_above_zero, metavar="NUMBER", help=told)


def whole(told: str) -> Any:
    """An option whose value is 1, 2, 3 or more."""
    return typer.Option(parser=_positive, metavar="COUNT", help=told)


def _above_zero(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise typer.BadParameter(f"expected a number above 0, got {value!r}")
    return found


def _positive(value: str | int) -> int:
    if not str(value).isdecimal() or int(value) < 1:
        raise typer.BadParameter(f"expected 1 or more, got {value!r}")
    return int(value)


def _spread(function: Callable[..., int]) -> list[Parameter]:
    """Return the parameters as options, with a dataclass replaced by its fields."""
    found: list[Parameter] = []
    for each in signature(function).parameters.values():
        found += _fields(each) or [each]
    return [each.replace(kind=Parameter.KEYWORD_ONLY) for each in found]


def _gathered(function: Callable[..., int], given: dict[str, Any]) -> int:
    """Call the function with its dataclasses rebuilt from the given options."""
    bound = {}
    for name, each in signature(function).parameters.items():
        fields = {field.name: given[field.name] for field in _fields(each)}
        bound[name] = each.annotation(**fields) if fields else given[name]
    return function(**bound)


def _fields(each: Parameter) -> list[Parameter]:
    """Return a dataclass's fields as parameters, none for another parameter."""
    made: Callable[..., Any] = each.annotation
    is_group = is_dataclass(each.annotation)
    return list(signature(made).parameters.values()) if is_group else []


def _fail(said: str, code: int) -> int:
    print(said, file=sys.stderr)
    return int(code)
