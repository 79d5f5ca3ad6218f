"""From facts to a page: evidence files, figures, HTML."""
