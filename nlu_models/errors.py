"""The error tree of the model code.

NluModelError
├── DataError      a data file is missing, empty or malformed
├── WeightError    a weight folder is missing, truncated or doesn't fit this code
└── InputError     a text, file or argument given by the caller can't be used
"""


class NluModelError(Exception):
    """Base of every error that the model code raises on purpose."""


class DataError(NluModelError):
    """A data set is missing, empty or malformed."""


class WeightError(NluModelError):
    """A weight folder is missing, truncated or of another format."""


class InputError(NluModelError):
    """A text, file or argument given by the caller can't be used."""
