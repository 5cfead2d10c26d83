"""Speed of the application, relative to the minimum cost of a page, a commit or a file: see README.md."""
