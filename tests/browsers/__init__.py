"""The page, the dialog and the inbox in Firefox ESR and WebKitGTK: ``python -m tests.browsers``."""
