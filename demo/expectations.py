"""What the demo must show: for each mode, what becomes of each family. Anything else is an error.

A decision is written as the function logs it; `reason` is one of the codes in the README. `registers` says whether the
family gets a new revision.
"""

from typing import NamedTuple


class Expected(NamedTuple):
    """What becomes of a family when its event comes."""

    decision: str
    reason: str | None
    registers: bool


INJECTED = Expected("inject", None, True)
WOULD_INJECT = Expected("inject", None, False)
UP_TO_DATE = Expected("upToDate", "upToDate", False)


def skipped(reason):
    """Left as it is, for that reason."""
    return Expected("skip", reason, False)


NEVER = {
    "invoices": skipped("ownDaemon"),
    "nightly-export": skipped("optedOut"),
    "label-printing": skipped("windows"),
}

# In this order, each mode finding what the one before has left.
MODES = {
    "audit": {
        "checkout": WOULD_INJECT,
        "catalog": WOULD_INJECT,
        "legacy-orders": WOULD_INJECT,
        "search": WOULD_INJECT,
        **NEVER,
    },
    "optIn": {
        "checkout": INJECTED,
        "catalog": INJECTED,
        "legacy-orders": INJECTED,
        "search": skipped("notRequested"),
        **NEVER,
    },
    "optOut": {
        "checkout": UP_TO_DATE,
        "catalog": UP_TO_DATE,
        "legacy-orders": UP_TO_DATE,
        "search": INJECTED,
        **NEVER,
    },
}

# All events once more, after the last mode.
REPEATED = {family: UP_TO_DATE for family in MODES["audit"] if family not in NEVER} | NEVER

# Whose definition is shown before and after.
SHOWN = "checkout"
