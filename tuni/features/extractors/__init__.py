"""What a model says about texts, with torch: one module for each family, each with `columns`."""
