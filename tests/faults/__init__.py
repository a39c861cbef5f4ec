"""raven's faults, one scenario a row, each run against raven's own class and against ours.

``python -m tests.faults`` prints the table; ``test_faults.py`` holds the same verdicts as tests.
"""
