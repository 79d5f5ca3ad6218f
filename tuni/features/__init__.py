"""What a model says about a text: one module for each family of features."""
