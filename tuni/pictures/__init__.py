"""Pictures: reading, embedding, the generic bank, whose they are."""
