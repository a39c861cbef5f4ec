"""An exception or a message becomes a bounded, scrubbed event; knows no reporter."""
