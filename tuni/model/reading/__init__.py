"""Files of a checkpoint that nobody vouches for: read as data, one tensor at a time."""
