"""Every error this project raises, one hierarchy.

TuniError
 ├─ InputError              what the caller gave cannot be used; the command line exits with 2
 │   ├─ RequestError        the request file or an option
 │   ├─ TextError           texts of subjects, decoys or labels
 │   ├─ TooFewTexts         not enough texts for what was asked
 │   ├─ CheckpointError     the audited checkpoint cannot be loaded safely
 │   ├─ PictureError        bank or subject pictures
 │   ├─ SpecMismatch        features of one spec met a bundle of another
 │   ├─ FingerprintMismatch a bundle met another checkpoint
 │   ├─ BundleError         a bundle is damaged, altered or of an unknown format
 │   ├─ SignatureError      a bundle is unsigned, altered, or signed with an unknown key
 │   ├─ UnusableScores      an array is empty, of the wrong shape or not finite
 │   ├─ ModelNotFound       no such registered model, version or alias
 │   ├─ WatchlistNotFound   no such watch list
 │   └─ AuditNotFound       no such audit
 ├─ EnvironmentFault        the machine's fault, not the input's; the command line exits with 1
 │   ├─ ProgramFault        an exception that is none of ours, in its place
 │   ├─ HomeError           the home cannot be used (permissions, disk, key)
 │   │   ├─ ValueAltered    an encrypted value of the ledger does not open
 │   │   └─ RowAltered      a row of the ledger does not fit its seal, or is missing
 │   ├─ TrailBroken         the audit trail was tampered with
 │   └─ TrackingError       MLflow or its store did not answer as expected
 └─ ClaimWithheld           the job ran, a claim may not be made; the command line exits with 3

A message never holds a text under audit: name the row and, at most, its pseudonym.
"""

from tuni.visible import one_line


class TuniError(Exception):
    """Base of every error here: what is wrong, naming the field, and what to do about it."""

    def __init__(self, problem: str, fix: str) -> None:
        """Keep both parts in ``args``, so that the error survives a process pool."""
        super().__init__(problem, fix)

    @property
    def problem(self) -> str:
        """What is wrong, field first."""
        return one_line(str(self.args[0]))

    @property
    def fix(self) -> str:
        """What to do about it."""
        return one_line(str(self.args[1]))

    def __str__(self) -> str:
        """Two lines: the problem, then the fix."""
        return f"{self.problem}\n  fix: {self.fix}"


class InputError(TuniError):
    """What the caller gave cannot be used."""


class RequestError(InputError):
    """The request file or an option of a command is wrong."""


class TextError(InputError):
    """A text cannot be scored, or a table of texts cannot be read."""


class TooFewTexts(InputError):
    """There are not enough texts for a split, a null or the asked rate."""


class CheckpointError(InputError):
    """The audited checkpoint cannot be loaded, or not safely."""


class PictureError(InputError):
    """Pictures are missing or cannot be read."""


class SpecMismatch(InputError):
    """Features of one spec were given to a bundle of another."""


class FingerprintMismatch(InputError):
    """A bundle was given another checkpoint than the one it was made for."""


class BundleError(InputError):
    """A bundle is damaged, altered, too large or of an unknown format."""


class SignatureError(InputError):
    """A bundle is not signed, was altered, or was signed with a key that is not trusted."""


class UnusableScores(InputError):
    """An array of scores or features is empty, misshapen or not finite."""


class ModelNotFound(InputError):
    """The registry holds no such model, version or alias."""


class WatchlistNotFound(InputError):
    """The ledger holds no such watch list."""


class AuditNotFound(InputError):
    """The ledger holds no such audit."""


class EnvironmentFault(TuniError):
    """The job failed for a reason that is not the input's."""


class ProgramFault(EnvironmentFault):
    """An exception that is none of ours: its type and frames are in the log."""


class HomeError(EnvironmentFault):
    """The home folder cannot be used: permissions, disk, key."""


class ValueAltered(HomeError):
    """An encrypted value of the ledger was altered, moved, or written with another key."""


class RowAltered(HomeError):
    """A row of the ledger was changed, moved or removed by somebody else than tuni."""


class TrailBroken(EnvironmentFault):
    """An entry of the audit trail was changed, removed, added or reordered."""


class TrackingError(EnvironmentFault):
    """MLflow or its store did not answer as expected."""


class ClaimWithheld(TuniError):
    """The job ran, but a claim may not be made from it."""
