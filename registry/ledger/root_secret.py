"""The ledger's root secret as its settings hold it, and whether the rows are sealed yet."""

from registry.keys.home_key import Wrapper, WrongKey

ROOT = "root"


# What the wrapped root secret is bound to once every row has a seal: a ledger cannot be passed off
# as one of the time before, whose rows are sealed as they are.
SEALED_ROOT = "root of sealed rows"


def unwrap_root(wrapper: Wrapper, wrapped: bytes) -> tuple[bytes, bool]:
    """The root secret, and whether the ledger's rows are sealed.

    Raises:
        WrongKey: Wrapped with another key, or altered.
    """
    try:
        return wrapper.unwrap(wrapped, SEALED_ROOT), True
    except WrongKey:
        return wrapper.unwrap(wrapped, ROOT), False
