"""The commands of `attune`, one module each: `add_parser(subparsers)` describes it, `run(args)` does it.

Modules whose name begins with an underscore are parts of others. A module imports what is heavy inside
`run`, so that `attune --help` answers at once.
"""
