"""Speed of the application, as ratios to the least that a page, a commit or a file can cost: see README.md."""
