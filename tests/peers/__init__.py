"""Real peers: where a reader finds the visitor's words on the servers that people run. Run by
``python -m tests.peers`` and, on stand-ins alone, by the tests."""
