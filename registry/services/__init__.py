"""Servers that outlive a command: processes, databases, logins."""
