"""Kinds of text beside names: phone numbers, addresses, e-mail addresses, user names, and pairs."""
