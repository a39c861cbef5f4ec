"""What the Makefile and the tests need beside the kit. None of it is shipped."""
