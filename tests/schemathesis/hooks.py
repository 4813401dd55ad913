"""What schemathesis cannot know of this API by its document alone."""

import schemathesis
from hypothesis import strategies

# An address has a checksum, which no pattern holds. The first of these is funded, the second is the
# account that a ledger begins with.
ACCOUNTS = ["rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"]
for name in ("xrpl-address", "xrpl-destination"):
    schemathesis.openapi.format(name, strategies.sampled_from(ACCOUNTS))


def in_digits(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: in_digits(member) for key, member in value.items()}
    if isinstance(value, list):
        return [in_digits(item) for item in value]
    return value


@schemathesis.hook
def map_body(context, body):
    """Writes 7.0 as 7: to JSON Schema both are whole numbers, and where money is counted the daemon takes
    no number that is written as a fraction."""
    return in_digits(body)
