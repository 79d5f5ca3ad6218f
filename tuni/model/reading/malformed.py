"""What a library stumbles over in a file that somebody made up, beside its own errors."""

import pickle
import struct
import zipfile
import zlib

MALFORMED = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError,
    LookupError, NotImplementedError, OSError, RuntimeError, StopIteration, TypeError, ValueError,
    pickle.UnpicklingError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
