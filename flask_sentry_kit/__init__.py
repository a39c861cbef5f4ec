"""The crash page for Flask: see the README."""
