"""Flask, watched: what breaks, and where. The only room that alters an app."""
