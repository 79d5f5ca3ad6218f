"""Testbeds with known members, and the methods that ours is compared with."""
