"""The domain: money, periods, spending, categories, undo and accounts. It does not know the web."""
