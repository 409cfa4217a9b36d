"""The commands of `attune emotion`, one module each; none of them needs Rasa or a database.

A module has `add_parser(commands)`, which adds one sub-parser and sets `execute` as its default, and
`execute(options) -> int`, which returns the exit status and may raise `NluModelError`. Nothing beyond the
standard library is imported before `execute` runs, so that `--help` is instant.
"""
