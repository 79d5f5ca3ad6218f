"""Lists of texts: reading, writing, labels, division into sets."""
