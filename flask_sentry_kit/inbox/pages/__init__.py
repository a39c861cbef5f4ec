"""The pages for developers."""
