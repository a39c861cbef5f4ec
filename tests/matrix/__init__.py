"""The matrix: in which settings a visitor's words arrive, tied to their crash. Run by
``python -m tests.matrix`` and by the tests."""
