"""Models of other libraries, run by their own code and read by hooks."""
