"""The error tree of Attune itself.

AttuneError
├── SettingsError    a setting is missing, unknown or out of range
├── ContractError    data from another part does not have the agreed form
├── StorageError     the database can't be used
├── HandoffError     a step of a handoff that isn't possible from where it stands
└── PageError        a page to people on duty that isn't there or can't be had
"""


class AttuneError(Exception):
    """Base of every error that Attune raises on purpose; its text is fit to be shown to an operator."""


class SettingsError(AttuneError):
    """A setting is missing, unknown or out of range."""


class ContractError(AttuneError):
    """Data from another part does not have the agreed form."""


class StorageError(AttuneError):
    """The database can't be reached, isn't migrated, or refuses what was asked."""


class HandoffError(AttuneError):
    """A step of a handoff was asked for that isn't possible from its present state."""


class PageError(AttuneError):
    """A page to people on duty isn't there, or can't be had with what was given."""
