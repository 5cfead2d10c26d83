"""The views: one module per noun, and what they share."""
