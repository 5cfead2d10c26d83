"""What the application knows about money, days, spending and accounts; nothing here knows the web."""
