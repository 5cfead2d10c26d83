"""How fast the application is, as ratios to the least that a page, a commit or a file can cost: see README.md."""
