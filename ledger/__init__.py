"""The domain: money, periods, spending, categories, undo and accounts. It does not depend on the web."""
