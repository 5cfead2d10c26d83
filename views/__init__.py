"""The views: one module per noun, and shared helpers."""
