"""A registered detector at work: a list in a file, a server, pictures."""
