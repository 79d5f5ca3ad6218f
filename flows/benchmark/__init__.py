"""The demonstration, and methods compared on testbeds."""
