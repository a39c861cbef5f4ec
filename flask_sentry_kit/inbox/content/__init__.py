"""What an event or a visitor's words say, read from JSON that is not trusted. Knows no HTTP and no
database."""
