"""Usage errors as sentences, with what a misspelled or habitual word most likely means."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

import click

from embedclf.cli.habits.other_tools import (
    COMMANDS,
    CONFIG_KEYS,
    FLAGS,
    INPUT_HABITS,
    OPTIONS,
    OUTPUT_HABITS,
    OWN_INPUT,
    RULES,
    SECTIONS,
    THRESHOLD_HABITS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic import BaseModel


class CommandGroup(click.Group):
    """A group that suggests the command that an unknown one most likely means."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order in which they were added."""
        del ctx
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name.

        Raises:
            click.UsageError: There is none.
        """
        if args[0] in self.commands or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise _unknown_command(self, args, ctx)


class Suggestion(click.UsageError):
    """A usage error that says what to write, so nobody needs to read the help."""


class _TypedOption(NamedTuple):
    """An option as the command line has it."""

    name: str
    """With its dashes."""
    value: str = "VALUE"
    """A placeholder if there is none."""

    @property
    def habit(self) -> str:
        """The name as `other_tools` spells it."""
        return self.name.lstrip("-").replace("_", "-").lower()

    @property
    def argument(self) -> str:
        """The value, quoted for a shell."""
        return shlex.quote(self.value)


def explain_usage_error(
    error: click.UsageError, context: click.Context, args: Sequence[str]
) -> str:
    """Return one line for a usage error: the fault, and what to write or where to read.

    Args:
        error: What Click, or a command, raised.
        context: Of the command, where the error does not know it.
        args: The command line without the program's name.
    """
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]  # Click's own are sentences
    if isinstance(error, Suggestion):
        return message
    if isinstance(error, click.NoSuchOption):
        option = _find_typed(error.option_name, args)
        message = f"no option {option.name}"
        for hint in _option_hints(option, error.ctx or context, args):
            return f"{message}: {hint}"
    if "unexpected extra argument" in message and context.invoked_subcommand in OWN_INPUT:
        return f"{message}; for a table of several files, quote a pattern, such as '*.csv'"
    return f"{message}; see `{_failed_path(error, context)} --help`"


def _unknown_command(
    group: click.Group, args: Sequence[str], ctx: click.Context
) -> click.UsageError:
    """Return the error for a command that a group does not have, with what it most likely means.

    Args:
        group: Where the command was looked for.
        args: The command, and what follows it.
        ctx: Of the group.
    """
    from embedclf.config.messages import closest_match  # only mistakes need it

    name, *others = args
    top, root = ctx.find_root().command, ctx.find_root().command_path
    if name == "help":
        return Suggestion(f"write `{' '.join([root, *others[:1], '--help'])}`", ctx)
    if isinstance(top, click.Group) and name in top.commands:
        return Suggestion(f"no command {ctx.command.name} {name}: write `{root} {name}`", ctx)
    if habit := _find_habit(COMMANDS, name.lower().replace("_", "-")):
        return Suggestion(f"no command {name!r}: write `{root} {habit}`", ctx)
    visible = [key for key, command in group.commands.items() if not command.hidden]
    if close := closest_match(name, visible):
        return Suggestion(f"no command {name!r}: did you mean {close!r}?", ctx)
    return click.UsageError(f"no command {name!r}", ctx)


def _failed_path(error: click.UsageError, context: click.Context) -> str:
    """Return the command line up to the command that could not be parsed."""
    if error.ctx is not None:
        return error.ctx.command_path
    return " ".join(filter(None, [context.command_path, context.invoked_subcommand]))


def _option_hints(
    option: _TypedOption, context: click.Context, args: Sequence[str]
) -> Iterator[str]:
    """Yield what to write for an option that a command does not have, the most likely first."""
    command, path = context.command, context.command_path
    if isinstance(command, click.Group) and command.commands:
        if owner := _find_owner(option, command, args):
            yield f"options follow the command: `{path} {owner} {option.name}`"
        return
    known = {name for parameter in command.params for name in parameter.opts}
    if "--metric" in known:
        yield from _rule_hints(option)
    for name, habits in OPTIONS.items():
        if name in known and option.habit in habits.split():
            yield f"write {name}" if _is_flag(command, name) else f"write {name} {option.argument}"
    # Without a value, -f is more likely to mean "force" than a file.
    is_input = option.habit in INPUT_HABITS.split() and option != _TypedOption(option.name)
    if command.name in OWN_INPUT and is_input:
        yield f"write `{path} {option.argument}`"
    if "--json" in known and option.habit in OUTPUT_HABITS.split():
        yield f"results go to standard output: write > {option.argument}"
    yield from _setting_hints(option, context, known)


def _rule_hints(option: _TypedOption) -> Iterator[str]:
    """Yield the rule of `threshold --metric` that an option stands for."""
    if example := RULES.get(option.habit):
        value = example if option == _TypedOption(option.name) else option.value
        yield f"write --metric {shlex.quote(f'{option.habit}={value}')}"
    elif option.habit in THRESHOLD_HABITS.split():
        yield f"write --metric {option.argument}"
    elif option.habit in {"f1", "micro-f1", "youden"}:
        yield f"write --metric {option.habit.replace('-', '_')}"


def _setting_hints(
    option: _TypedOption, context: click.Context, known: Iterable[str]
) -> Iterator[str]:
    """Yield the config key that an option stands for, then the known option most like it."""
    from embedclf.config.messages import closest_match
    from embedclf.config.reading import READING_KEYS

    takes_all = any(parameter.name == "overrides" for parameter in context.command.params)
    if takes_all and option.habit in SECTIONS.split():
        yield f"write -s {option.habit}.KEY=VALUE"
    if key := _find_key(option.habit):
        setting = shlex.quote(f"{key}={option.habit if option.habit in FLAGS else option.value}")
        in_training = f"`{context.find_root().command_path} train ... -s {setting}`"
        takes_it = takes_all or ("--set" in known and key.removeprefix("data.") in READING_KEYS)
        yield f"write -s {setting}" if takes_it else f"it is set in training: {in_training}"
    names = [name.removeprefix("--").replace("-", "_") for name in known if name.startswith("--")]
    if close := closest_match(option.habit.replace("-", "_"), names):
        yield f"did you mean --{close.replace('_', '-')}?"


def _find_owner(option: _TypedOption, group: click.Group, args: Sequence[str]) -> str | None:
    """Find the command that an option before it belongs to, if possible one on the command line."""
    owners = [
        name
        for name, command in group.commands.items()
        if any(option.name in parameter.opts for parameter in command.params)
    ]
    return next(iter([*(name for name in owners if name in args), *owners]), None)


def _find_typed(name: str, args: Sequence[str]) -> _TypedOption:
    """Find an option on the command line, with the value that follows it."""
    for position, argument in enumerate(args):
        word, equals, value = argument.partition("=")
        # Click reads -epoch as -e -p -o ..., of which it reports the first.
        is_run_together = not name.startswith("--") and word.startswith(name)
        if word == name or (is_run_together and not word.startswith("--")):
            if equals:
                return _TypedOption(word, value)
            following = args[position + 1 : position + 2]
            has_value = bool(following) and not following[0].startswith("-")
            return _TypedOption(word, following[0]) if has_value else _TypedOption(word)
    return _TypedOption(name)


def _find_key(habit: str) -> str | None:
    """Return the config key that an option stands for, by its name or by a usual one."""
    from embedclf.config.schema import Config  # pydantic takes time to load

    for key in _config_keys(Config):
        if habit.replace("-", "_") in {key, key.rpartition(".")[2]}:
            return key
    return _find_habit(CONFIG_KEYS, habit)


def _config_keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the config keys of a section, except those of `tune`, which repeat others."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if not (isinstance(kind, type) and hasattr(kind, "model_fields")):
            yield prefix + name
        elif name != "tune":
            yield from _config_keys(kind, f"{prefix}{name}.")


def _find_habit(habits: dict[str, str], word: str) -> str | None:
    """Return the name that has a word among its habits."""
    return next((name for name, words in habits.items() if word in words.split()), None)


def _is_flag(command: click.Command, name: str) -> bool:
    """Whether an option of a command takes no value."""
    options = (option for option in command.params if name in option.opts)
    return any(isinstance(option, click.Option) and option.is_flag for option in options)
