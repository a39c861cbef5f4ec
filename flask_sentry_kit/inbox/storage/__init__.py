"""What is kept, in one SQLite file. Knows no HTTP."""
