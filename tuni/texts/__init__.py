"""Texts of one kind and their kin: names, neighbours, decoys, gibberish."""
