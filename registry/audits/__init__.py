"""Watch lists, audits and their rows."""
