"""What a library stumbles over in a file that somebody made up, beside its own errors."""

import pickle
import zipfile

MALFORMED = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError,
    LookupError, NotImplementedError, OSError, RuntimeError, StopIteration, TypeError, ValueError,
    pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip
